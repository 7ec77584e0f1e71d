import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { CANNOT_SANDBOX } from '../native/toy-cell.ts';
import { leftAtLast, removeOwnCells, until, useOwnCells, type OwnCells } from '../support/own-cells.ts';
import { programRun, warmHost, warmReport, type WarmHost } from '../support/warm-host.ts';
import type { RunReport } from '../../src/run/run-report.ts';
import type { WarmPool } from '../../src/warm-pool.ts';
import type { ZygoteHomeState } from '../../src/zygote-home.ts';

vi.mock(import('../../src/cell-host.ts'), async (original) => {
  const { ownHost } = await import('../support/own-cells.ts');
  return ownHost(await original());
});

/** Packages whose harm stays with them: their zygote forks programs that are as confined as any. */
const HARMLESS: Readonly<Record<string, { readonly prints?: string }>> = {
  calls_what_is_denied: {},
  sets_signals: {},
  sets_trace: {},
  replaces_exec: {},
  prints_much: {},
  registers_atexit: { prints: 'fine\nat exit\n' },
};

/** Packages for which there is no zygote, or none that forks; and how a run starts then. */
const REFUSED: Readonly<
  Record<string, { readonly failure: string | RegExp; readonly start: RunReport['time']['start'] }>
> = {
  keeps_thread: { failure: 'cannot be had (threads)', start: 'warm' },
  keeps_shared_memory: { failure: 'cannot be had (shared-memory)', start: 'warm' },
  keeps_shared_array: { failure: 'cannot be had (shared-memory)', start: 'warm' },
  keeps_file: { failure: 'cannot be had (descriptors)', start: 'warm' },
  leaves: { failure: 'cannot be had (its program ended)', start: 'cold' },
  fails: { failure: 'cannot be had (its program ended)', start: 'cold' },
  fills_memory: { failure: 'cannot be had (its program ended)', start: 'cold' },
  forks_without_end: { failure: 'cannot be had (processes)', start: 'warm' },
  // By what it is noticed first is a matter of moments.
  ends_when_asked: {
    failure: /has forked nothing \(the step `main` failed\)|its cell did not come to be|\(unreadable\)/,
    start: 'warm',
  },
  hears_nonsense: { failure: 'has forked nothing (it took too long)', start: 'warm' },
  hears_nothing: { failure: 'has forked nothing (it took too long)', start: 'warm' },
  fakes_fork: { failure: 'has forked nothing (the step `main` failed)', start: 'warm' },
  fakes_fork_and_number: { failure: 'has forked nothing (the step `main` failed)', start: 'warm' },
  closes_nothing: { failure: 'has forked nothing (the step `anomaly` failed)', start: 'warm' },
  keeps_identity: { failure: 'has forked nothing (the step `confinement` failed)', start: 'warm' },
  keeps_capabilities: { failure: 'has forked nothing (the step `confinement` failed)', start: 'warm' },
  loads_no_filter: { failure: 'has forked nothing (the step `confinement` failed)', start: 'warm' },
  stays_outside: { failure: 'has forked nothing (the step `confinement` failed)', start: 'warm' },
};

describe.skipIf(CANNOT_SANDBOX)('Z5, Z7, Z8 packages that do harm when a zygote imports them', () => {
  let cells: OwnCells;
  let host: WarmHost;
  let pool: WarmPool;

  beforeAll(async () => {
    cells = useOwnCells(1_810_000_000);
    host = await warmHost();
  });
  afterAll(async () => {
    await host[Symbol.asyncDispose]();
    removeOwnCells(cells);
  });
  /** After each, nothing is left: no process, control group, mount or socket. */
  afterEach(async () => {
    await pool.close();
    const left = await leftAtLast(cells);
    if (left.length > 0) throw new Error(`left behind: ${left.join(', ')}`);
  });

  /** A run of a program that names the package, so that it is imported before, and does not import it itself. */
  async function runBeside(name: string, checks = ''): Promise<RunReport> {
    const request = programRun(host.image({ preimport: [name] }), `if 0: import ${name}\n${checks}print("fine")`);
    pool = host.pool();
    await pool.prepare(request);
    return warmReport(pool, request);
  }

  function zygote(): ZygoteHomeState | undefined {
    return pool.state()[0]?.zygote;
  }

  it.each(Object.entries(HARMLESS))('%s is contained, and its zygote used', async (name, { prints = 'fine\n' }) => {
    const report = await runBeside(name, CONFINED);
    expect(report).toMatchObject({ status: 'ok', stdout: prints, stderr: '', events: [], denied: [] });
    expect(report.time.start).toBe('warm');
    expect(report.isolation).toMatchObject({ tier: 'A', missing: [] });
    expect(zygote()).toMatchObject({ failure: undefined, recycled: { failure: 0 } });
  });

  it.each(Object.entries(REFUSED))('%s is found, and runs do without a zygote', async (name, { failure, start }) => {
    const report = await runBeside(name);
    expect(report).toMatchObject({ status: 'ok', stdout: 'fine\n', stderr: '', events: [], denied: [] });
    expect(report.isolation).toMatchObject({ tier: 'A', missing: [] });
    expect(zygote()?.failure).toMatch(failure);
    expect(zygote()?.recycled).toEqual({ forks: 0, age: 0, failure: 1 });
    // Where the next cell takes its time, the run has one of its own.
    expect([start, 'cold']).toContain(report.time.start);
  });

  it('sets_timer ends its zygote, and another is started', async () => {
    expect(await runBeside('sets_timer')).toMatchObject({ status: 'ok', stdout: 'fine\n' });
    const request = programRun(host.image({ preimport: ['sets_timer'] }), 'if 0: import sets_timer\nprint("fine")');
    const reports: RunReport[] = [];
    await until(async () => {
      reports.push(await warmReport(pool, request));
      return (zygote()?.recycled.failure ?? 0) > 1;
    });
    expect(reports.filter(({ status, stdout }) => status !== 'ok' || stdout !== 'fine\n')).toEqual([]);
  });

  it('never_ends keeps no run waiting, and is given up', async () => {
    const request = programRun(host.image({ preimport: ['never_ends'] }), 'if 0: import never_ends\nprint("fine")');
    pool = host.pool();
    const report = await warmReport(pool, request);
    expect(report).toMatchObject({ status: 'ok', stdout: 'fine\n', time: { start: 'cold' } });
    // That run was over before anything was given up.
    expect(zygote()).toMatchObject({ failure: undefined });
    await until(() => zygote()?.failure !== undefined);
    expect(zygote()?.failure).toBe('a zygote: cannot be had (the step `time` failed)');
  });
});

/** Fails where the program has more than any program has. */
const CONFINED = `
import ctypes, fcntl, os
assert os.getuid() == os.geteuid() == os.getgid() and os.getuid() != 0 and os.getgroups() == []
opened = []
for number in range(4096):
    try:
        opened.append((fcntl.fcntl(number, fcntl.F_GETFD), number))
    except OSError:
        pass
assert [number for _, number in opened] == [0, 1, 2], opened
assert os.listdir("/tmp") == [] and os.getpid() == 2
`;
