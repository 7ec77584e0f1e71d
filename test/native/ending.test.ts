import { spawn } from 'node:child_process';
import { existsSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { buffer, text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { probeCgroups } from '../../src/run/cgroup-probe.ts';
import { sweepCgroups } from '../../src/run/cgroup-sweep.ts';
import { launchCell } from '../../src/run/launch-cell.ts';
import { encodePlan } from '../../src/run/launch-plan.ts';
import { readStatus } from '../../src/run/status-reader.ts';
import {
  CANNOT_SANDBOX,
  guestPids,
  leftovers,
  makeToyHost,
  removeToyHost,
  runToy,
  toyPlan,
  verdictOf,
  type ToyHost,
  type ToyRun,
} from './toy-cell.ts';

/** A launcher that was started by hand, with everything it says on pipes. */
interface RawCell {
  readonly pid: number;
  readonly child: ReturnType<typeof spawn>;
  /** Settles when the guest has printed its first bytes. */
  readonly ready: Promise<void>;
  readonly closed: Promise<readonly [number | null, string | null]>;
  readonly status: Promise<string>;
}

describe.skipIf(CANNOT_SANDBOX)('a cell ends', () => {
  let host: ToyHost;
  beforeAll(() => {
    host = makeToyHost(['exit-with', 'ignore-signals', 'wait-for-signal', 'print-flood', 'fill-output'], 330_000);
  }, 60_000);
  afterAll(() => removeToyHost(host));

  async function startRaw(run: ToyRun): Promise<RawCell & { readonly plan: Awaited<ReturnType<typeof toyPlan>> }> {
    const plan = await toyPlan(host, run);
    const planFile = join(host.folder, 'plan');
    writeFileSync(planFile, encodePlan(plan));
    const child = spawn(host.cellPath, ['run'], {
      stdio: ['pipe', 'pipe', 'pipe', openSync(planFile, 'r'), 'pipe'],
    });
    const status = child.stdio[4];
    if (child.pid === undefined || child.stdout === null || status === null || status === undefined) throw new Error();
    if (!('read' in status)) throw new Error();
    const { stdout } = child;
    return {
      plan,
      child,
      pid: child.pid,
      ready: new Promise((resolve) => {
        stdout.once('data', () => resolve());
      }),
      closed: new Promise((resolve) => {
        child.once('close', (code, signal) => resolve([code, signal]));
      }),
      status: text(status).catch(() => ''),
    };
  }

  /** Polls, since the kernel takes processes apart in its own time; a test that never gets there times out. */
  async function untilNothingIsLeft(plan: Awaited<ReturnType<typeof toyPlan>>): Promise<void> {
    const processes =
      guestPids(host).length + leftovers(host, plan).filter((thing) => thing.startsWith('mount')).length;
    if (processes === 0) return;
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    await untilNothingIsLeft(plan);
  }

  it.each([
    ['SIGHUP', 1],
    ['SIGINT', 2],
    ['SIGQUIT', 3],
    ['SIGTERM', 15],
    ['SIGUSR1', 10],
    ['SIGUSR2', 12],
  ] as const)('by %s, which the program gets', async (signal, number) => {
    const { child, ready, closed, status, plan } = await startRaw({ program: 'wait-for-signal' });
    await ready;
    child.kill(signal);
    expect(await closed).toEqual([number, null]);
    expect(readStatus(await status)).toMatchObject({ end: { kind: 'exited', status: number }, isCleanupProven: true });
    expect(leftovers(host, plan)).toEqual([]);
  });

  it('when its caller cancels it, and tells so', async () => {
    const plan = await toyPlan(host, { program: 'ignore-signals' });
    const abort = new AbortController();
    const cell = launchCell({ plan, cellPath: host.cellPath, stdio: 'capture', signal: abort.signal });
    // The program may be anywhere between its first step and its last one.
    setTimeout(() => abort.abort(), 50);
    expect(verdictOf(await cell.outcome)).toMatchObject({ status: 'cancelled', exit_code: null });
    expect(leftovers(host, plan)).toEqual([]);
  });

  it('when its caller cancels it before it began', async () => {
    const { verdict } = await runToy(host, {
      program: 'ignore-signals',
      request: { signal: AbortSignal.abort() },
    });
    expect(verdict.status).toBe('cancelled');
  });

  it('when the reader of its status goes away', async () => {
    const { child, ready, closed, plan } = await startRaw({ program: 'ignore-signals' });
    await ready;
    child.stdio[4]?.destroy();
    await closed;
    expect(leftovers(host, plan)).toEqual([]);
  });

  it('when its keeper is killed, with every process in it', async () => {
    const { child, ready, closed, plan } = await startRaw({ program: 'ignore-signals' });
    await ready;
    expect(guestPids(host).length).toBeGreaterThan(0);
    child.kill('SIGKILL');
    expect(await closed).toEqual([null, 'SIGKILL']);
    await untilNothingIsLeft(plan);
    expect(guestPids(host)).toEqual([]);
    // Nobody was left to remove them.
    const sweep = { prefix: basename(host.folder), madeBefore: Number.MAX_SAFE_INTEGER };
    expect(new Set(await sweepCgroups(await probeCgroups(), sweep))).toEqual(new Set(plan.cgroups.directories));
  });

  it('when its keeper is killed under launchCell(), which removes the control groups', async () => {
    const plan = await toyPlan(host, { program: 'ignore-signals', limits: { wallMs: 60_000 } });
    const cell = launchCell({ plan, cellPath: host.cellPath, stdio: 'capture' });
    await untilGuests(plan.cgroups.joins[0] ?? '');
    for (const pid of keeperPids(host.cellPath)) process.kill(pid, 'SIGKILL');
    expect(verdictOf(await cell.outcome)).toMatchObject({
      status: 'internal',
      error: { step: 'launcher' },
      events: [{ kind: 'cleanup_unproven' }],
    });
    await untilNothingIsLeft(plan);
    expect(leftovers(host, plan)).toEqual([]);
  });

  it('when its launcher is killed', async () => {
    const plan = await toyPlan(host, { program: 'ignore-signals', limits: { wallMs: 60_000 } });
    const planFile = join(host.folder, 'orphan-plan');
    writeFileSync(planFile, encodePlan(plan));
    const script = `
      const { spawn } = require('node:child_process');
      const plan = require('node:fs').openSync(${JSON.stringify(planFile)});
      spawn(${JSON.stringify(host.cellPath)}, ['run'], { detached: true, stdio: ['ignore', 'inherit', 'inherit', plan, 'pipe'] });
    `;
    const launcher = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    await new Promise((resolve) => {
      launcher.stdout.once('data', resolve);
    });
    launcher.kill('SIGKILL');
    await new Promise((resolve) => {
      launcher.stdout.once('close', resolve);
    });
    await untilNothingIsLeft(plan);
    await untilGone(plan.cgroups.directories);
    expect(leftovers(host, plan)).toEqual([]);
  });

  it('at its wall limit, though nobody reads its output', async () => {
    const { child, closed, plan, status } = await startRaw({
      program: 'print-flood',
      limits: { wallMs: 200, outputBytes: 1024 ** 3 },
    });
    // Never read: the keeper must kill, clean up, and then wait for us.
    child.stdout?.pause();
    await untilGone(plan.cgroups.directories);
    expect(guestPids(host)).toEqual([]);
    child.stdout?.resume();
    await closed;
    expect(readStatus(await status)).toMatchObject({ cause: 'wall', isCleanupProven: true });
  });

  it('with not one byte over its output limit', async () => {
    const { child, closed } = await startRaw({ program: 'print-flood', limits: { outputBytes: 10_001 } });
    const { stdout } = child;
    if (stdout === null) throw new Error('unreachable: no pipe');
    const received = buffer(stdout);
    expect(await closed).toEqual([124, null]);
    expect((await received).length).toBe(10_001);
  });

  it('without losing what a slow reader has not read yet', async () => {
    const { child, closed, plan } = await startRaw({
      program: 'fill-output',
      limits: { outputBytes: 1024 ** 3 },
    });
    const { stdout, stderr } = child;
    if (stdout === null || stderr === null) throw new Error('unreachable: no pipes');
    stdout.pause();
    const told = text(stderr);
    await untilMade(plan.cgroups.directories);
    await untilGone(plan.cgroups.directories);
    const received = buffer(stdout);
    await closed;
    expect((await received).length).toBe(Number(await told));
  });

  it('by SIGPIPE, when the reader of its output goes away', async () => {
    const { child, closed, status, ready } = await startRaw({
      program: 'print-flood',
      limits: { outputBytes: 1024 ** 3 },
    });
    await ready;
    child.stdout?.destroy();
    expect(await closed).toEqual([141, null]);
    expect(readStatus(await status).end).toEqual({ kind: 'signalled', signal: 13 });
  });

  /** Until a process is in this control group. */
  async function untilGuests(procs: string): Promise<void> {
    if (existsSync(procs) && guestPids(host).length > 0) return;
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    await untilGuests(procs);
  }
});

async function untilMade(files: readonly string[]): Promise<void> {
  if (files.every((file) => existsSync(file))) return;
  await new Promise((resolve) => {
    setImmediate(resolve);
  });
  await untilMade(files);
}

async function untilGone(files: readonly string[]): Promise<void> {
  if (!files.some((file) => existsSync(file))) return;
  await new Promise((resolve) => {
    setImmediate(resolve);
  });
  await untilGone(files);
}

/** Our own launchers: children of this process that run this host's own copy of `cell`. */
function keeperPids(cellPath: string): readonly number[] {
  const children = readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').trim().split(' ').map(Number);
  return children.filter((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').startsWith(cellPath));
}
