setInterval(() => undefined, 10);
console.log('waiting');
await new Promise(() => undefined);
