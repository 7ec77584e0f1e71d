import { Worker } from 'node:worker_threads';
new Worker('for (;;);', { eval: true });
/^(a+)+$/.test(`${'a'.repeat(60)}b`);
