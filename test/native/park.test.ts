import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { collect, duplexOf, spawnCell } from '../../src/run/cell-process.ts';
import { encodeJob, encodePlan, fitsParkedCell, type Job, type LaunchPlan } from '../../src/run/launch-plan.ts';
import { parkCell, type JobRequest, type ParkedCell } from '../../src/run/park-cell.ts';
import type { CellOutcome } from '../../src/run/launch-cell.ts';
import type { Limits } from '../../src/recipe/recipe.ts';
import { readStatus, type CellFacts } from '../../src/run/status-reader.ts';
import type { Verdict } from '../../src/run/verdict.ts';
import { CANNOT_SANDBOX, guestPids, leftovers, makeToyHost, NUMBERS, removeToyHost } from './toy-cell.ts';
import { toyPlan, verdictOf, type ToyHost, type ToyPlan } from './toy-cell.ts';

const WAIT = ['ready', 'job'];

interface ParkedRun {
  /** What the cell does until its job comes, and in the job. */
  readonly before?: readonly string[];
  readonly after?: readonly string[];
  /** Of the cell. */
  readonly limits?: Partial<Limits>;
  readonly change?: Partial<ToyPlan>;
  /** Of the job, in place of those. */
  readonly own?: Partial<Job['limits']>;
  readonly job?: Partial<Job>;
  readonly request?: Partial<JobRequest>;
}

type Ended = CellOutcome & { readonly verdict: Verdict };

describe.skipIf(CANNOT_SANDBOX)('a parked cell', () => {
  let host: ToyHost;
  beforeAll(() => {
    host = makeToyHost(['wait-for-job'], 370_000);
  }, 60_000);
  afterAll(() => removeToyHost(host));

  function planOf({ before = WAIT, limits = {}, change = {} }: ParkedRun): Promise<ToyPlan> {
    const program = { name: '.parked', content: Buffer.from('waits\n') };
    const own = { program, ...change };
    return toyPlan(host, { program: 'wait-for-job', arguments: before, limits, change: own });
  }

  /** Parks a cell, runs a job in it, and finds nothing left of it. */
  async function run(parked: ParkedRun): Promise<Ended> {
    const plan = await planOf(parked);
    const cell = parkCell(plan, host.cellPath);
    expect(await cell.ready).toBe(true);
    const outcome = await cell.begin({ job: jobOf(plan, parked), stdio: 'capture', ...parked.request }).outcome;
    expect(leftovers(host, plan)).toEqual([]);
    const { wallMs = parked.limits?.wallMs ?? 10_000, cpuMs = parked.limits?.cpuMs ?? 5000 } = parked.own ?? {};
    return { ...outcome, verdict: verdictOf(outcome, { wallMs, cpuMs }) };
  }

  async function park(parked: ParkedRun): Promise<{ readonly cell: ParkedCell; readonly plan: ToyPlan }> {
    const plan = await planOf(parked);
    const cell = parkCell(plan, host.cellPath);
    expect(await cell.ready).toBe(true);
    return { cell, plan };
  }

  /** Speaks the protocol by hand: gives the job's bytes at once or when the cell is ready. */
  async function byHand(
    plan: LaunchPlan,
    bytes: Uint8Array,
    when: 'at once' | 'ready',
  ): Promise<{ readonly facts: CellFacts; readonly stdout: string; readonly first: string }> {
    const cell = spawnCell(host.cellPath, ['ignore', 'pipe', 'ignore', 'pipe', 'pipe', 'ignore', 'ignore', 'pipe']);
    const [status, job] = [duplexOf(cell, 4), duplexOf(cell, 7)];
    const printed = cell.stdout === null ? '' : text(cell.stdout);
    const records = collect(status, 65_536);
    const isParked = new Promise((resolve) => {
      status?.once('data', resolve);
    });
    job?.on('error', () => undefined);
    if (when === 'at once') job?.end(bytes);
    duplexOf(cell, 3)?.end(encodePlan({ ...plan, isParked: true }));
    await isParked;
    if (when === 'ready') job?.end(bytes);
    const told = (await records).toString('latin1');
    return { facts: readStatus(told), stdout: await printed, first: told.split('\n')[0] ?? '' };
  }

  it('runs a job as the program that it waited for', async () => {
    const { verdict, stdout, stderr, facts } = await run({
      after: ['say:hello', 'complain:oh', 'exit:7'],
      limits: { wallMs: 10_000 },
    });
    expect(verdict).toMatchObject({ status: 'error', exit_code: 7, events: [], denied: [] });
    expect([stdout.toString(), stderr.toString()]).toEqual(['hello\n', 'oh\n']);
    expect(facts.layers).toEqual(expect.arrayContaining(['seccomp', 'read-only-root', 'own-uid', 'cgroup-limits']));
  });

  it.each([
    ['job before ready', 'at once'],
    ['ready before job', 'ready'],
  ] as const)('begins: %s', async (_, when) => {
    const plan = await planOf({});
    const ended = await byHand(plan, encodeJob(jobOf(plan, { after: ['say:done', 'exit:3'] })), when);
    expect(ended.facts).toMatchObject({ failure: undefined, end: { kind: 'exited', status: 3 } });
    expect([ended.first, ended.stdout]).toEqual(['parked', 'done\n']);
    expect(leftovers(host, plan)).toEqual([]);
  });

  it('gives words and variables to the program byte by byte, as many as fit', async () => {
    const long = 'x'.repeat(100_000);
    const { stdout } = await run({
      after: [`count:${long}`, 'say:', 'say:ä\n\u0001"\'', 'variable:ODD', 'variable:EMPTY'],
      job: { environment: { ODD: 'a=b\n\u{1f955}', EMPTY: '' } },
    });
    expect(stdout.toString()).toBe(`100000\n\nä\n\u0001"'\nODD=a=b\n\u{1f955}\nEMPTY=\n`);
  });

  it('takes as many words as `fitsParkedCell` says, and refuses one byte more', async () => {
    const plan = await planOf({ before: ['say:before', ...WAIT] });
    // What all strings may have, less two counts and what else there is, each with its NUL.
    const most = 131_072 - 8 - '/bin/wait-for-job LANG=C.UTF-8 count: '.length;
    const [largest, larger] = [most, most + 1].map((length) => jobOf(plan, { after: [`count:${'x'.repeat(length)}`] }));
    if (largest === undefined || larger === undefined) throw new Error('unreachable: both were made');
    expect([fitsParkedCell(largest), fitsParkedCell(larger)]).toEqual([true, false]);
    expect(await byHand(plan, encodeJob(largest), 'ready')).toMatchObject({
      facts: { failure: undefined, end: { kind: 'exited', status: 0 } },
      stdout: `${most}\n`,
    });
    const { facts, stdout } = await byHand(plan, encodeJob(larger), 'ready');
    expectUnused(facts, 7);
    expect(stdout).toBe('');
  });

  it.each([
    ['nothing', () => new Uint8Array(), { cause: 'cancelled', failure: undefined }],
    ['other bytes', () => Buffer.from('job'), { cause: undefined, failure: { step: 'plan', errno: 22 } }],
    [
      'a job that is cut',
      (job: Uint8Array) => job.subarray(0, -1),
      { cause: undefined, failure: { step: 'plan', errno: 22 } },
    ],
  ] as const)('ends when its job is %s', async (_, bytes, facts) => {
    const plan = await planOf({});
    const ended = await byHand(plan, bytes(encodeJob(jobOf(plan, {}))), 'ready');
    expect(ended.facts).toMatchObject({ ...facts, layers: [], end: undefined, isCleanupProven: true });
    expect(leftovers(host, plan)).toEqual([]);
  });

  it('is discarded without a trace', async () => {
    const { cell, plan } = await park({ before: ['say:before', ...WAIT] });
    expect(cell.isWaiting()).toBe(true);
    const { facts, stdout } = await cell.discard();
    expect(facts).toMatchObject({ cause: 'cancelled', layers: [], isCleanupProven: true, isComplete: true });
    expect([cell.isWaiting(), stdout.length]).toEqual([false, 0]);
    expect(leftovers(host, plan)).toEqual([]);
    await cell.gone;
    expect((await cell.discard()).facts).toEqual(facts);
  });

  it('tells how a program ended that never got ready, and what it said', async () => {
    const plan = await planOf({ before: ['complain:no such module', 'exit:5'] });
    const cell = parkCell(plan, host.cellPath);
    expect(await cell.ready).toBe(false);
    const { facts, stderr } = await cell.discard();
    expect(facts).toMatchObject({ end: { kind: 'exited', status: 5 }, layers: [], isComplete: true });
    expect(stderr.toString()).toBe('no such module\n');
    expect(leftovers(host, plan)).toEqual([]);
  });

  it('is gone as soon as its program ends while it waits', async () => {
    const { cell, plan } = await park({});
    for (const pid of guestPids(host).filter(isProgram)) process.kill(pid, 'SIGKILL');
    await cell.gone;
    expect(cell.isWaiting()).toBe(false);
    const { outcome } = cell.begin({ job: jobOf(plan, {}), stdio: 'capture' });
    expectUnused((await outcome).facts, 32);
    expect(leftovers(host, plan)).toEqual([]);
  });

  it.each([
    ['says more than that it is ready', ['ready', 'ready', 'stay'], 71],
    ['closes its link', ['ready', 'close', 'stay'], 32],
  ])('ends when its program %s', async (_, before, errno) => {
    const { cell, plan } = await park({ before });
    await cell.gone;
    expectUnused((await cell.discard()).facts, errno);
    expect(leftovers(host, plan)).toEqual([]);
  });

  it.each([
    ['none', ['ready', 'poll', 'say:came', 'stay']],
    ['some', ['ready', 'read:3', 'say:came', 'stay']],
  ])('was never run where its program read %s of its words and was killed', async (_, before) => {
    const { cell, plan } = await park({ before });
    const onOutput = (): void => {
      for (const pid of guestPids(host).filter(isProgram)) process.kill(pid, 'SIGKILL');
    };
    const job = jobOf(plan, { after: ['exit:0'] });
    expectUnused((await cell.begin({ job, stdio: 'stream', onOutput }).outcome).facts, 104);
    expect(leftovers(host, plan)).toEqual([]);
  });

  it('ends by its limit a program that does not read its words', async () => {
    const { verdict } = await run({ before: ['ready', 'stay'], own: { wallMs: 100 } });
    expect(verdict).toMatchObject({ status: 'timeout', events: [{ kind: 'wall' }] });
  });

  it('tells the end of the program that ran, even one by a signal', async () => {
    const { verdict } = await run({ after: ['die:9'] });
    expect(verdict).toMatchObject({ status: 'signal', signal: 'SIGKILL' });
  });

  it('keeps to itself what happened before the run', async () => {
    const call = `call:${NUMBERS.denied}`;
    const { stdout, stderr, verdict } = await run({
      before: ['say:before', 'complain:before', call, call, ...WAIT],
      after: ['say:after', call],
    });
    expect([stdout.toString(), stderr.toString()]).toEqual(['after\n', '']);
    expect(verdict.denied).toMatchObject([{ nr: NUMBERS.denied, count: 1 }]);
  });

  it('counts no processor time that was used before', async () => {
    const { facts, verdict } = await run({ before: ['spin:300', ...WAIT], own: { cpuMs: 250 } });
    expect(facts.beforeMicros).toBeGreaterThanOrEqual(300_000);
    expect(facts.usageMicros).toBeLessThan(250_000);
    expect(verdict).toMatchObject({ status: 'ok', events: [] });
    expect(verdict.time.cpu_ms).toBeLessThan(250);
  });

  it('has the limits of its job, and not those that it was made with', async () => {
    const tight = { wallMs: 1, cpuMs: 60_000, outputBytes: 10 };
    const job = { wallMs: 60_000, cpuMs: 60_000, outputBytes: 1000 };
    const loose = await run({ limits: tight, own: job, after: ['say:0123456789 and more', 'spin:50'] });
    expect(loose.verdict).toMatchObject({ status: 'ok', truncated: { stdout: false } });
    expect(loose.stdout.toString()).toBe('0123456789 and more\n');
    expect((await run({ after: ['stay'], own: { wallMs: 100 } })).verdict.status).toBe('timeout');
    const spun = await run({ after: ['spin:60000'], own: { cpuMs: 200, wallMs: 60_000 } });
    expect(spun.verdict.status).toBe('cpu_limit');
    expect(spun.verdict.time.cpu_ms).toBeGreaterThanOrEqual(200);
    const flooded = await run({ after: ['flood'], own: { outputBytes: 100 } });
    expect(flooded.verdict).toMatchObject({ status: 'output_limit', truncated: { stdout: true } });
    expect(flooded.stdout.length).toBe(100);
    const called = await run({
      after: Array.from({ length: 5 }, () => `call:${NUMBERS.denied}`),
      own: { denials: 3 },
    });
    expect(called.verdict.status).toBe('denied');
  });

  it('has the program of its job in the place of its own', async () => {
    const { stdout } = await run({
      before: ['list:/run/program', ...WAIT],
      after: ['list:/run', 'list:/run/program', 'show:/run/program/main.py', 'show:/run/program/.parked'],
    });
    expect(stdout.toString()).toBe('/run: program\n/run/program: main.py\nruns\n');
  });

  it('takes a program of any size', async () => {
    const content = Buffer.alloc(3_000_000, 'ab\n');
    const { stdout } = await run({
      after: ['show:/run/program/large'],
      job: { program: { name: 'large', content } },
      own: { outputBytes: 2 ** 22 },
    });
    expect(digest(stdout)).toBe(digest(content));
  });

  it('has one descriptor more than a program while it waits, and none that is ours', async () => {
    const plan = await planOf({ before: ['descriptors', 'stay'] });
    const cell = parkCell(plan, host.cellPath);
    await vi.waitUntil(() => guestPids(host).some(isProgram));
    const guest = guestPids(host).find(isProgram);
    expect(readdirSync(`/proc/${guest}/fd`).map(Number)).toEqual([0, 1, 2, 7]);
    await cell.discard();
    const { stdout } = await run({ after: ['descriptors'] });
    expect(stdout.toString()).toBe('descriptors 0 1 2\n');
  });

  it('gives its input to the program that runs', async () => {
    const input = Buffer.from('for the program\n');
    const { stdout } = await run({ after: ['input'], request: { input } });
    expect(stdout.toString()).toBe('for the program\n');
  });

  it('passes output on as it comes', async () => {
    const heard: string[] = [];
    const onOutput = (stream: string, bytes: Uint8Array): void => {
      heard.push(`${stream} ${Buffer.from(bytes).toString()}`);
    };
    await run({ before: ['say:before', ...WAIT], after: ['say:after'], request: { stdio: 'stream', onOutput } });
    expect(heard).toEqual(['stdout after\n']);
  });

  it('passes signals on to a program that runs', async () => {
    const { cell, plan } = await park({});
    const running = cell.begin({
      job: jobOf(plan, { after: ['signal'] }),
      stdio: 'stream',
      onOutput: () => running.forward('SIGUSR1'),
    });
    expect((await running.outcome).facts.end).toEqual({ kind: 'exited', status: 10 });
    expect(leftovers(host, plan)).toEqual([]);
  });

  it.each(['SIGTERM', 'SIGUSR1'] as const)('ends by %s while it waits', async (signal) => {
    const { cell, plan } = await park({});
    const [keeper = 0] = keepers(host);
    process.kill(keeper, signal);
    await cell.gone;
    expect((await cell.discard()).facts).toMatchObject({ cause: 'cancelled', layers: [], isCleanupProven: true });
    expect(leftovers(host, plan)).toEqual([]);
  });

  it('ends when its run is cancelled', async () => {
    const abort = new AbortController();
    const { verdict } = await run({
      after: ['say:now', 'stay'],
      request: { stdio: 'stream', signal: abort.signal, onOutput: () => abort.abort() },
    });
    expect(verdict).toMatchObject({ status: 'cancelled', exit_code: null });
    const early = await run({ after: ['stay'], request: { signal: AbortSignal.abort() } });
    expect(early.verdict.status).toBe('cancelled');
  });

  it.each([
    ['waits', ['fork', ...WAIT], undefined],
    ['runs', WAIT, ['fork', 'say:now', 'stay']],
  ])('leaves nothing when its launcher is killed while it %s', async (_, before, after) => {
    const { cell, plan } = await park({ before });
    const [keeper = 0] = keepers(host);
    const kill = (): boolean => process.kill(keeper, 'SIGKILL');
    if (after === undefined) kill();
    const ended =
      after === undefined
        ? cell.gone.then(() => cell.discard())
        : cell.begin({ job: jobOf(plan, { after }), stdio: 'stream', onOutput: () => void kill() }).outcome;
    expect((await ended).facts).toMatchObject({ isComplete: false, layers: [] });
    await vi.waitUntil(() => leftovers(host, plan).length === 0 && keepers(host).length === 0, { timeout: 10_000 });
  });

  it('dies with who supervises it', async () => {
    const plan = await planOf({});
    const supervisor = spawn(process.execPath, ['-e', SUPERVISOR, host.cellPath], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    supervisor.stdin.end(encodePlan({ ...plan, isParked: true }));
    await new Promise((resolve) => {
      supervisor.stdout.once('data', resolve);
    });
    expect(guestPids(host)).toHaveLength(1);
    supervisor.kill('SIGKILL');
    await vi.waitUntil(() => leftovers(host, plan).length === 0 && keepers(host).length === 0, { timeout: 10_000 });
  });
});

/** Parks one cell of the plan that it reads. */
const SUPERVISOR = `
const { spawn } = require('node:child_process');
const plan = require('node:fs').readFileSync(0);
const stdio = ['ignore', 'ignore', 'ignore', 'pipe', 'pipe', 'ignore', 'ignore', 'pipe'];
const cell = spawn(process.argv[1], ['run'], { stdio });
cell.stdio[4].once('data', (bytes) => process.stdout.write(bytes));
cell.stdio[3].end(plan);
`;

function jobOf(plan: LaunchPlan, { after = [], own = {}, job = {} }: ParkedRun): Job {
  return {
    arguments: ['/bin/wait-for-job', ...after],
    environment: { LANG: 'C.UTF-8' },
    limits: { ...plan.limits, ...own },
    program: { name: 'main.py', content: Buffer.from('runs\n') },
    ...job,
  };
}

function expectUnused(facts: CellFacts, errno: number): void {
  expect(facts).toMatchObject({ failure: { step: 'exec', errno }, layers: [], isComplete: true });
  expect(facts.isCleanupProven).toBe(true);
}

function digest(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function isProgram(pid: number): boolean {
  return commandOf(`${pid}`).startsWith('/bin/wait-for-job\0');
}

/** Pids of our launchers; a cell's first process has the same words, and is younger. */
function keepers({ cellPath }: ToyHost): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && commandOf(name).startsWith(`${cellPath}\0`))
    .map(Number)
    .toSorted((a, b) => a - b);
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1');
  } catch {
    return '';
  }
}
