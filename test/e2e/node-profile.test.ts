import { beforeAll, describe, expect, it } from 'vitest';
import { CANNOT_SANDBOX } from '../native/toy-cell.ts';
import { nodeImage, pythonImage, rootcellar, workplace } from '../support/command.ts';

/** What ordinary programs do, one thing a line. */
const ORDINARY: Readonly<Record<string, string>> = {
  timers: `
import { setTimeout as sleep } from 'node:timers/promises';
setImmediate(() => console.log('immediate'));
await sleep(5);
console.log(performance.now() > 0, process.hrtime.bigint() > 0n);`,
  'files in /tmp': `
import { copyFile, cp, mkdir, mkdtemp, open, opendir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
await writeFile('/tmp/a', 'hello');
await copyFile('/tmp/a', '/tmp/b');
await rename('/tmp/b', '/tmp/c');
await mkdir('/tmp/d/e', { recursive: true });
await cp('/tmp/d', '/tmp/f', { recursive: true });
await mkdtemp('/tmp/x-');
await symlink('c', '/tmp/link');
const file = await open('/tmp/a', 'r+');
await file.truncate(2);
await file.utimes(1, 2);
await file.sync();
await file.close();
for await (const entry of await opendir('/tmp')) if (entry.isDirectory()) await rm('/tmp/' + entry.name, { recursive: true });
console.log(await readFile('/tmp/a', 'utf8'), await readFile('/tmp/link', 'utf8'));`,
  'streams and compression': `
import { createReadStream, createWriteStream, statSync, writeFileSync } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { brotliCompressSync, createGzip } from 'node:zlib';
writeFileSync('/tmp/s', Buffer.alloc(1e6));
await pipeline(createReadStream('/tmp/s'), createGzip(), createWriteStream('/tmp/s.gz'));
console.log(statSync('/tmp/s.gz').size < 10_000, brotliCompressSync(Buffer.alloc(1e5)).length < 100);`,
  cryptography: `
import crypto from 'node:crypto';
import { promisify } from 'node:util';
const key = await promisify(crypto.generateKeyPair)('ec', { namedCurve: 'P-256' });
const digest = await crypto.subtle.digest('SHA-256', new Uint8Array(2));
const derived = await promisify(crypto.scrypt)('a', 'b', 32);
console.log(crypto.randomBytes(8).length, crypto.randomUUID().length, key.privateKey.type, digest.byteLength, derived.length);`,
  workers: `
import { Worker } from 'node:worker_threads';
const shared = new Int32Array(new SharedArrayBuffer(4));
const code = 'const { workerData } = require("node:worker_threads"); Atomics.store(workerData, 0, 7); Atomics.notify(workerData, 0)';
const worker = new Worker(code, { eval: true, workerData: shared });
console.log(Atomics.wait(shared, 0, 0, 10_000) !== 'timed-out', shared[0]);
await worker.terminate();`,
  WebAssembly: `
const bytes = Buffer.from('0061736d0100000001070160027f7f017f030201000707010361646400000a09010700200020016a0b', 'hex');
const { instance } = await WebAssembly.instantiate(bytes);
console.log(instance.exports.add(2, 40));`,
  'questions about the machine': `
import os from 'node:os';
console.log(os.hostname(), os.homedir(), os.totalmem() > 0, os.availableParallelism() > 0, os.release() !== '', process.umask() >= 0);`,
  'signals to itself': `
const alive = setInterval(() => undefined, 1000);
await new Promise((done) => process.once('SIGUSR2', done).kill(process.pid, 'SIGUSR2'));
clearInterval(alive);
console.log('came');`,
  'console and time zones': `
console.log(new Date(0).toLocaleString('de-DE', { timeZone: 'Europe/Berlin' }));
process.stderr.write('');
process.on('exit', (code) => console.log('exit', code));`,
};

const PRINTED: Readonly<Record<string, string>> = {
  timers: 'immediate\ntrue true\n',
  'files in /tmp': 'he hello\n',
  'streams and compression': 'true true\n',
  cryptography: '8 36 private 32 32\n',
  workers: 'true 7\n',
  WebAssembly: '42\n',
  'questions about the machine': 'cell /tmp true true true true\n',
  'signals to itself': 'came\n',
  'console and time zones': '1.1.1970, 01:00:00\nexit 0\n',
};

/** Of `run --json`, with a program of this name and text. */
async function report(image: string, name: string, code: string, ...flags: string[]): Promise<unknown> {
  await using work = await workplace();
  await work.write({ [name]: code });
  const { stdout, stderr } = await rootcellar([
    'run',
    image,
    '--json',
    ...flags,
    '--',
    work.path(name),
    'one',
    '--two',
  ]);
  try {
    return JSON.parse(stdout);
  } catch {
    return stderr;
  }
}

describe.skipIf(CANNOT_SANDBOX)('profile `node`', () => {
  beforeAll(async () => {
    await nodeImage();
    await pythonImage();
  });

  it.each(Object.entries(ORDINARY))('is enough for %s', async (name, code) => {
    expect(await report('nodejs', 'program.mjs', code)).toMatchObject({
      status: 'ok',
      stdout: PRINTED[name],
      stderr: '',
      denied: [],
    });
  });

  it('has room for a heap of 200 MiB within the limit on memory, and says so where there is none', async () => {
    const code =
      'const all = []; for (let n = 0; n < 200; n += 1) all.push(new Array(131072).fill(n)); console.log(all.length);';
    expect(await report('nodejs', 'program.cjs', code, '--limit', 'memory=384MiB')).toMatchObject({
      status: 'ok',
      stdout: '200\n',
      denied: [],
    });
    expect(await report('nodejs', 'program.cjs', code, '--limit', 'memory=128MiB')).toMatchObject({ status: 'oom' });
  });

  it('denies programs and sockets, and names them', async () => {
    const code = `
import { spawnSync } from 'node:child_process';
import { createServer } from 'node:net';
console.log(spawnSync('/usr/bin/node', ['-v'], { stdio: 'inherit' }).error.code);
createServer().on('error', ({ code }) => console.log(code)).listen(0);`;
    const denied = [{ syscall: 'clone' }, { syscall: 'socket' }];
    expect(await report('nodejs', 'program.mjs', code)).toMatchObject({
      status: 'ok',
      stdout: 'EPERM\nEPERM\n',
      denied,
    });
  });

  it.each([
    ['program.js', 'console.log(typeof require, process.argv.slice(2))', "function [ 'one', '--two' ]\n"],
    ['program.cjs', 'console.log(typeof require, process.argv.slice(2))', "function [ 'one', '--two' ]\n"],
    ['program.mjs', 'console.log(typeof require, process.argv.slice(2))', "undefined [ 'one', '--two' ]\n"],
  ])('runs %s by the image’s Node.js, with its arguments', async (name, code, stdout) => {
    expect(await report('nodejs', name, code)).toMatchObject({ status: 'ok', stdout });
  });

  it('runs text and stdin by Node.js where there is no Python, and takes no argument for an option of Node’s', async () => {
    const words = ['console.log(process.argv.slice(1))', '--', '--require', 'x'];
    expect(await rootcellar(['run', 'nodejs', '-c', ...words])).toMatchObject({
      status: 0,
      stdout: "[ '--require', 'x' ]\n",
    });
    const input = 'console.log(6 * 7)';
    expect(await rootcellar(['run', 'nodejs', '-'], { input })).toMatchObject({ status: 0, stdout: '42\n' });
  });

  it('says which interpreter an image lacks', async () => {
    await using work = await workplace();
    await work.write({ 'program.mjs': '', 'program.py': '' });
    const javascript = await rootcellar(['run', 'python', '--', work.path('program.mjs')]);
    expect(javascript.stderr).toContain(
      'error[E_PROGRAM_NOT_FOUND] image `python`: has no Node.js to run a program with',
    );
    const python = await rootcellar(['run', 'nodejs', '--', work.path('program.py')]);
    expect(python.stderr).toContain('error[E_PROGRAM_NOT_FOUND] image `nodejs`: has no Python to run a program with');
    expect([javascript.status, python.status]).toEqual([1, 1]);
  });
});
