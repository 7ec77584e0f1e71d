import inspector from 'node:inspector';
await attempt('open', () => inspector.open(0));
console.log('url', inspector.url());
