import { copyFileSync, readdirSync } from 'node:fs';
const folder = readdirSync('/usr/lib').find((name) => name.endsWith('-linux-gnu'));
copyFileSync(`/usr/lib/${folder}/libm.so.6`, '/tmp/own.node');
try {
  process.dlopen({ exports: {} }, '/tmp/own.node');
  console.log('loaded');
} catch (error) {
  console.log(error.code, error.message.includes('failed to map segment'));
}
