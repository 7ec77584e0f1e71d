import { Worker } from 'node:worker_threads';
const code = `const { Worker } = require('node:worker_threads');
process.on('uncaughtException', () => undefined);
for (;;) new Worker(${'`${'}process.env.CODE}${'`'}, { eval: true }).on('error', () => undefined);`;
process.env.CODE = code;
console.log('starting');
new Worker(code, { eval: true }).on('error', () => undefined);
