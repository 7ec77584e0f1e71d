import { exec, execFileSync, fork, spawn } from 'node:child_process';
await attempt('execFileSync', () => void execFileSync('/usr/bin/node', ['-v']));
const events = (child) => new Promise((done, fail) => child.on('error', fail).on('exit', done));
await attempt('spawn', () => events(spawn('/usr/bin/node', ['-v'])));
await attempt('without pipes', () => events(spawn('/usr/bin/node', ['-v'], { stdio: 'inherit' })));
await attempt('exec', () => events(exec('true')));
await attempt('fork', () => events(fork('/run/program/attack.mjs')));
