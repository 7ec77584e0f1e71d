import { readdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { RunningProgram, RunRequest } from '../../src/run-program.ts';
import type { RunReport } from '../../src/run/run-report.ts';
import { WarmPool, type WarmPoolSettings } from '../../src/warm-pool.ts';
import { CANNOT_SANDBOX } from '../native/toy-cell.ts';
import { leftovers, parkedPids, poolHost, requestOf, type PoolHost } from '../support/pool-host.ts';

const SETTLE = { timeout: 30_000, interval: 20 };

describe.skipIf(CANNOT_SANDBOX)('a warm pool', () => {
  let host: PoolHost;
  let pool: WarmPool;
  beforeAll(async () => {
    host = await poolHost();
  });
  afterEach(() => pool.close());
  afterAll(() => host[Symbol.asyncDispose]());

  function open(settings: Partial<WarmPoolSettings> = {}): WarmPool {
    pool = new WarmPool(() => host.context, { size: 2, kinds: 4, makers: 2, zygotes: false, ...settings });
    return pool;
  }

  function python(code: string, request: Partial<RunRequest> = {}): RunRequest {
    return requestOf(host.python, { code, request });
  }

  async function run(request: RunRequest): Promise<RunReport> {
    return (await pool.start(request)).report;
  }

  function waiting(): number {
    return pool.state().reduce((sum, kind) => sum + kind.waiting, 0);
  }

  it('begins runs in cells that wait, makes others for them, and does without when there is none', async () => {
    open();
    const request = python('print(1)');
    expect((await run(request)).time.start).toBe('cold');
    await pool.prepare(request);
    expect(pool.state()).toMatchObject([
      { image: { name: 'python', digest: host.python.diffId }, language: 'python', waiting: 2, making: 0, size: 2 },
    ]);
    const reports = await Promise.all(Array.from({ length: 4 }, () => run(request)));
    expect(reports.map(({ time }) => time.start).toSorted()).toEqual(['cold', 'cold', 'warm', 'warm']);
    expect(reports.map(({ status, stdout }) => `${status} ${stdout}`)).toEqual(Array(4).fill('ok 1\n'));
    await vi.waitUntil(() => waiting() === 2, SETTLE);
    expect((await run(request)).time.start).toBe('warm');
  });

  it('reports a run under its own name, limits and policy', async () => {
    open();
    const request = python('print(1)', {
      image: { ...host.python, name: 'alias' },
      limits: { wallMs: 7000, outputBytes: 77 },
    });
    await pool.prepare(python(''));
    expect(await run(request)).toMatchObject({
      status: 'ok',
      time: { start: 'warm' },
      image: { name: 'alias', digest: host.python.diffId },
      limits: { wallMs: 7000, outputBytes: 77 },
      isolation: { tier: 'A', missing: [] },
    });
  });

  it('never gives a cell to two runs', async () => {
    open();
    const code = `
import builtins, json, os, sys
print(os.listdir("/tmp"), hasattr(builtins, "mark"), hasattr(json, "mark"), os.environ.get("MARK"), len(sys.argv))
open("/tmp/mark", "w").write("x")
builtins.mark = json.mark = True
os.environ["MARK"] = "x"
sys.argv.append("x")`;
    for (let index = 0; index < 6; index += 1) {
      await pool.prepare(python(code));
      const report = await run(python(code));
      expect([report.time.start, report.stdout]).toEqual(['warm', '[] False False None 1\n']);
    }
  });

  it('has different randomness in each cell', async () => {
    open();
    const code = `
import os, random, secrets, tempfile, uuid
print(os.urandom(4).hex(), random.random(), secrets.token_hex(4), uuid.uuid4(), uuid.uuid1().hex, tempfile.mktemp(), hash("a"))`;
    await pool.prepare(python(code));
    const [one, two] = await Promise.all([run(python(code)), run(python(code))]);
    expect([one.time.start, two.time.start]).toEqual(['warm', 'warm']);
    const others = two.stdout?.split(' ') ?? [];
    expect(one.stdout?.split(' ').filter((word, index) => word === others[index])).toEqual([]);
  });

  it.each([
    ['program', 'SIGKILL', 'guests'],
    ['launcher', 'SIGKILL', 'launchers'],
    ['launcher', 'SIGTERM', 'launchers'],
  ] as const)('begins a run elsewhere whose %s got %s in the moment it was taken', async (_, signal, which) => {
    open({ size: 1, makers: 1 });
    const heard: string[] = [];
    const request = python('print("once")', {
      stdio: 'stream',
      onOutput: (stream, bytes) => void heard.push(`${stream} ${Buffer.from(bytes).toString()}`),
    });
    await pool.prepare(request);
    for (const pid of parkedPids()[which]) process.kill(pid, signal);
    const running = await pool.start(request);
    expect(await running.report).toMatchObject({ status: 'ok', time: { start: 'cold' } });
    expect((await running.facts()).end).toEqual({ kind: 'exited', status: 0 });
    expect(heard).toEqual(['stdout once\n']);
  });

  it('begins a run elsewhere whose program died before it had read its words', async () => {
    open({ size: 1, makers: 1 });
    const request = python('print("once")');
    await pool.prepare(request);
    const { guests } = parkedPids();
    for (const pid of guests) process.kill(pid, 'SIGSTOP');
    const running = await pool.start(request);
    // Its launcher does nothing in between that can be seen from here, and either order is to give the same.
    for (const pid of guests) process.kill(pid, 'SIGKILL');
    expect(await running.report).toMatchObject({ status: 'ok', stdout: 'once\n', time: { start: 'cold' } });
  });

  it('replaces cells that die while they wait', async () => {
    open();
    await pool.prepare(python(''));
    const before = parkedPids().guests;
    for (const pid of before) process.kill(pid, 'SIGKILL');
    const others = (): readonly number[] => parkedPids().guests.filter((pid) => !before.includes(pid));
    await vi.waitUntil(() => waiting() === 2 && others().length === 2, SETTLE);
    expect((await run(python('print(1)'))).time.start).toBe('warm');
  });

  it.each([
    ['code', { program: { kind: 'code', code: 'print(1)' } }],
    ['words that are too many', { arguments: ['x'.repeat(100_000), 'y'.repeat(100_000)] }],
    ['a file', { files: [{ path: 'a', content: Buffer.from('a') }] }],
    ['more processor time', { limits: { cpuMs: 600_000 } }],
  ] as const)('gives a run with %s a cell of its own', async (_, own) => {
    open();
    await pool.prepare(python(''));
    expect(await run(python('print(1)', own))).toMatchObject({ status: 'ok', stdout: '1\n', time: { start: 'cold' } });
    await vi.waitUntil(() => waiting() === 2, SETTLE);
  });

  it('refuses what a cell of its own would refuse', async () => {
    open();
    await pool.prepare(python(''));
    const refused = python('', { environment: { LD_PRELOAD: 'x' } });
    await expect(run(refused)).rejects.toMatchObject({ code: 'E_POLICY' });
    await expect(run(requestOf(host.node, { code: '' }))).rejects.toMatchObject({ code: 'E_PROGRAM_NOT_FOUND' });
    await vi.waitUntil(() => waiting() === 2, SETTLE);
  });

  it('tells why cells cannot wait, and runs without', async () => {
    open();
    const request = python('print(1)', { limits: { memoryBytes: 2 ** 20 } });
    await pool.prepare(request);
    expect(pool.state()[0]).toMatchObject({ waiting: 0, lastFailure: expect.stringMatching(/ended|failed/) });
    expect(pool.state()[0]?.failures).toBeGreaterThan(0);
    expect(await run(request)).toMatchObject({ status: 'oom', time: { start: 'cold' } });
  });

  it('ends a run that is cancelled, and takes no other cell for it', async () => {
    open();
    const early = python('print(1)', { cancel: AbortSignal.abort() });
    await pool.prepare(python(''));
    expect((await run(early)).status).toBe('cancelled');
    expect(waiting()).toBe(2);
    const abort = new AbortController();
    const request = python('import time\nprint(1, flush=True)\ntime.sleep(60)', {
      stdio: 'stream',
      onOutput: () => abort.abort(),
      cancel: abort.signal,
    });
    expect(await run(request)).toMatchObject({ status: 'cancelled', time: { start: 'warm' } });
  });

  it('passes signals on, and none is lost', async () => {
    open();
    const code = `
import signal, sys, time
signal.signal(signal.SIGUSR1, lambda *_: sys.exit(5))
print("ready", flush=True)
# Not pause(2), before which it may come.
while True: time.sleep(0.01)`;
    await pool.prepare(python(''));
    const running: RunningProgram = await pool.start(
      python(code, { stdio: 'stream', onOutput: () => running.forward('SIGUSR1') }),
    );
    expect(await running.report).toMatchObject({ status: 'error', exit_code: 5, time: { start: 'warm' } });
    await vi.waitUntil(() => waiting() === 2, SETTLE);
    const early = await pool.start(python('import time\ntime.sleep(60)'));
    early.forward('SIGTERM');
    const report = await early.report;
    expect(['cancelled', 'signal']).toContain(report.status);
  });

  it('has cells with the host’s network, and with a proxy of their own', async () => {
    await open().prepare(python(''));
    await pool.close();
    const before = readdirSync('/proc/self/fd').length;
    open({ kinds: 8 });
    const server = createServer((socket) => socket.end('hello')).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    const connect = `import socket\nprint(socket.create_connection(("127.0.0.1", ${port})).recv(9))`;
    const onHost = python(connect, { network: { mode: 'host', proxies: {} } });
    await pool.prepare(onHost);
    expect(await run(onHost)).toMatchObject({ status: 'ok', stdout: "b'hello'\n", time: { start: 'warm' } });
    server.close();
    const fetch = `
import os, urllib.request
print(sorted(name for name in os.environ if name.lower().endswith("_proxy")))
try: urllib.request.urlopen("http://refused.example/")
except OSError as error: print(error)`;
    const byProxy = python(fetch, { network: { mode: 'proxy', allow: ['allowed.example'] } });
    await pool.prepare(byProxy);
    const report = await run(byProxy);
    expect(report).toMatchObject({ status: 'ok', time: { start: 'warm' } });
    expect(report.stdout).toContain('HTTPS_PROXY');
    expect(report.events).toMatchObject([{ kind: 'network_refused', host: 'refused.example', count: 1 }]);
    await vi.waitUntil(() => waiting() === 4, SETTLE);
    const quiet = await run(python('print(1)', { network: { mode: 'proxy', allow: ['allowed.example'] } }));
    expect(quiet).toMatchObject({ events: [], time: { start: 'warm' } });
    await pool.close();
    await vi.waitUntil(() => readdirSync('/proc/self/fd').length <= before, SETTLE);
  });

  it('keeps the kinds that were wanted last', async () => {
    open({ kinds: 2, size: 1 });
    const requests = [1, 2, 3].map((n) => python('print(1)', { limits: { openFiles: 100 + n } }));
    for (const request of requests) await pool.prepare(request);
    expect(pool.state()).toHaveLength(2);
    await vi.waitUntil(() => parkedPids().guests.length === 2, SETTLE);
    const starts = await Promise.all(requests.slice(1).map(run));
    expect(starts.map(({ time }) => time.start)).toEqual(['warm', 'warm']);
  });

  it('lets go of the cells of an image that is not current any more, and not of its runs', async () => {
    open();
    const node = requestOf(host.node, { file: 'main.js', code: 'console.log(1)' });
    const request = python('print(input())', { input: Buffer.from('x\n') });
    await Promise.all([pool.prepare(node), pool.prepare(request)]);
    const running = await pool.start(request);
    await pool.keepOnly(new Set([host.node.diffId]));
    expect(pool.state()).toMatchObject([{ language: 'node', waiting: 2 }]);
    await running.report;
    expect(parkedPids().guests).toHaveLength(2);
    expect(await running.report).toMatchObject({ status: 'ok', stdout: 'x\n', time: { start: 'warm' } });
    expect((await run(node)).time.start).toBe('warm');
  });

  it('is closed when nothing waits any more, not even what was being made; runs go on', async () => {
    open({ size: 3 });
    const request = python('print(input())', { input: Buffer.from('x\n') });
    await pool.prepare(request);
    const running = await pool.start(request);
    await pool.close();
    expect(pool.state()).toEqual([]);
    expect((await running.report).time.start).toBe('warm');
    expect(parkedPids().guests).toEqual([]);
    expect(await run(request)).toMatchObject({ status: 'ok', time: { start: 'cold' } });
    expect(pool.state()).toEqual([]);
  });

  it('leaves nothing of 300 runs in a row and of 40 at once', async () => {
    open();
    await pool.prepare(python(''));
    await run(python(''));
    await pool.close();
    // What is opened once in the life of a process is open now.
    const before = readdirSync('/proc/self/fd').length;
    open();
    const request = python('import os\nprint(os.getpid())');
    const starts: string[] = [];
    for (let index = 0; index < 300; index += 1) {
      await pool.prepare(request);
      starts.push((await run(request)).time.start);
    }
    expect(starts).toEqual(Array(300).fill('warm'));
    const reports = await Promise.all(Array.from({ length: 40 }, () => run(request)));
    expect(reports.map(({ status }) => status)).toEqual(Array(40).fill('ok'));
    await pool.close();
    await vi.waitUntil(() => leftovers().length === 0, SETTLE);
    await vi.waitUntil(() => readdirSync('/proc/self/fd').length <= before, SETTLE);
  });
});
