import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execPath } from 'node:process';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LaunchPlan } from '../../src/run/launch-plan.ts';
import { startZygote, sweepSockets } from '../../src/run/zygote.ts';

/** A launcher that says that each cell is ready before it has connected all that belongs to it, and then goes. */
const HASTY = `#!${execPath}
const { connect, Socket } = require('node:net');
const { createReadStream } = require('node:fs');
const status = new Socket({ fd: 4 });
const jobs = new Socket({ fd: 7 });
createReadStream('', { fd: 3 }).on('end', () => status.write('parked\\n')).resume();
jobs.once('data', (frame) => {
  const text = frame.toString('latin1');
  const [, path] = /(\\/[^\\0]*\\.socket)\\0/.exec(text);
  const [id] = /[0-9a-f]{32}/.exec(text);
  const say = (digit, more) => new Promise((done) => {
    const socket = connect(path, () => socket.write(id + digit + more, () => setTimeout(() => done(socket), 50)));
  });
  (async () => {
    const first = await say('3', 'parked\\n');
    const others = [await say('0', ''), await say('1', ''), await say('2', '')];
    setTimeout(() => [first, ...others].forEach((socket) => socket.destroy()), 200);
  })();
});
jobs.on('end', () => process.exit(0));
`;

const PLAN: LaunchPlan = {
  tier: 'A',
  root: '/nowhere',
  arguments: ['/bin/true'],
  environment: {},
  workingDirectory: '/tmp',
  hostname: 'cell',
  program: undefined,
  identities: { firstUid: 1_900_000_000, count: 1, lockFile: '/nowhere/lock' },
  limits: { wallMs: 1, cpuMs: 1, outputBytes: 1, tmpBytes: 4096, tmpInodes: 16, denials: 1 },
  resourceLimits: [],
  cgroups: undefined,
  filter: new Uint8Array(8),
};

describe('startZygote()', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'rootcellar-zygote-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('hears of a cell that was ready before all of its connections had come', async () => {
    const cellPath = join(folder, 'cell');
    writeFileSync(cellPath, HASTY, { mode: 0o755 });
    const zygote = await startZygote({ plan: PLAN, cellPath, socket: join(folder, 'berths.socket') });
    const cell = await zygote.fork(PLAN);
    expect(await cell.ready).toBe(true);
    await zygote.close();
  });
});

describe('sweepSockets()', () => {
  it('removes what a killed process has left, and nothing that is heard, new, or not of a zygote', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'rootcellar-zygote-'));
    const paths = ['zygote-left', 'another'].map((name) => join(folder, name));
    const code = `for (const path of process.argv.slice(1)) require('node:net').createServer().listen(path, () => console.log(path))`;
    const child = spawn(execPath, ['-e', code, ...paths], { stdio: ['ignore', 'pipe', 'inherit'] });
    let told = '';
    for await (const chunk of child.stdout) {
      told += String(chunk);
      if (paths.every((path) => told.includes(path))) break;
    }
    child.kill('SIGKILL');
    await once(child, 'exit');
    const server = createServer().listen(join(folder, 'zygote-heard'));
    await once(server, 'listening');
    await sweepSockets(folder, 0);
    expect(readdirSync(folder)).toEqual(['another', 'zygote-heard', 'zygote-left']);
    await sweepSockets(folder, Number.MAX_SAFE_INTEGER);
    expect(readdirSync(folder)).toEqual(['another', 'zygote-heard']);
    server.close();
    rmSync(folder, { recursive: true });
  });
});
