import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
for (const path of ['/proc/self/mem', '/proc/1/environ', '/sys/kernel', '/dev/mem', '/etc/shadow', process.argv[2]])
  await attempt(path === process.argv[2] ? 'canary' : path, () => void readFileSync(path));
await attempt('write', () => writeFileSync('/usr/bin/node', ''));
await attempt('root', () => writeFileSync('/x', ''));
console.log(readdirSync('/dev').join(' '));
