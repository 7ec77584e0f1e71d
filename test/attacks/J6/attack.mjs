import { setTimeout as sleep } from 'node:timers/promises';
process.kill(process.pid, 'SIGUSR1');
await sleep(500);
console.log('alive');
