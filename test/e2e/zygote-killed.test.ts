import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { CANNOT_SANDBOX } from '../native/toy-cell.ts';
import { sharedHome } from '../support/command.ts';
import { cellProcesses, leftAtLast, removeOwnCells, until, useOwnCells } from '../support/own-cells.ts';
import type { CellProcesses, OwnCells } from '../support/own-cells.ts';
import { programRun, warmHost, warmReport, type WarmHost } from '../support/warm-host.ts';
import type { RunReport } from '../../src/run/run-report.ts';
import type { WarmPool } from '../../src/warm-pool.ts';

vi.mock(import('../../src/cell-host.ts'), async (original) => {
  const { ownHost } = await import('../support/own-cells.ts');
  return ownHost(await original());
});

const MOMENTS = 30;
/** From the first fork on; a run is begun within some milliseconds. */
const LATEST_MS = 60;
/** For what a runtime keeps of many runs; a leak of one cell's buffers in each run would be more. */
const MOST_GROWTH = 96 * 2 ** 20;
const MODULE = 'sets_signals';
const CODE = `if 0: import ${MODULE}\nimport time\ntime.sleep(0.02)\nprint("fine")`;

/** What is killed, by what it is among the processes of a pool. */
const VICTIMS: Readonly<Record<string, (all: CellProcesses) => number | undefined>> = {
  'the launcher of the zygote': ({ zygoteKeeper }) => zygoteKeeper,
  'the zygote': ({ zygote }) => zygote,
  'the first process of its cell': ({ zygoteInit }) => zygoteInit,
  'a keeper of a berth': ({ berthKeepers }) => berthKeepers.at(-1),
  'the first process of a berth': ({ berthInits }) => berthInits.at(-1),
};

/** It has done what it should, or says that it was ended from outside. */
function isTrue({ status, stdout, exit_code: exitCode, signal }: RunReport): boolean {
  if (status === 'ok') return stdout === 'fine\n' && exitCode === 0 && signal === null;
  return status === 'internal' && exitCode === null;
}

describe.skipIf(CANNOT_SANDBOX)('Z9, Z15, Z16 killed at any moment', () => {
  let cells: OwnCells;
  let host: WarmHost;
  let pool: WarmPool;
  let descriptors: number;

  beforeAll(async () => {
    cells = useOwnCells(1_840_000_000);
    host = await warmHost();
    // The first run lays the image out, for which the store opens what it keeps.
    pool = host.pool({ size: 0 });
    expectOk(await warmReport(pool, programRun(host.image(), 'print("fine")')));
    descriptors = readdirSync('/proc/self/fd').length;
  });
  afterAll(async () => {
    await host[Symbol.asyncDispose]();
    removeOwnCells(cells);
  });

  /** So that what one test has left is not found by the next. */
  afterEach(() => pool.close());

  it.each(Object.entries(VICTIMS))('%s: nothing is left, and every run ends with a true report', async (_, choose) => {
    const request = programRun(host.image({ preimport: [MODULE] }), CODE);
    const statuses = new Set<RunReport['status']>();
    let killed = 0;
    for (let index = 0; index < MOMENTS; index += 1) {
      pool = host.pool({ size: 2, makers: 1 });
      await pool.prepare(request);
      const runs = [warmReport(pool, request), warmReport(pool, request), warmReport(pool, request)];
      await new Promise((resolve) => void setTimeout(resolve, ((index + Math.random()) / MOMENTS) * LATEST_MS));
      const victim = choose(cellProcesses(cells));
      if (victim !== undefined) {
        process.kill(victim, 'SIGKILL');
        killed += 1;
      }
      const reports = await Promise.all(runs);
      for (const { status } of reports) statuses.add(status);
      expect(reports.filter((report) => !isTrue(report))).toEqual([]);
      // What was killed is not used again, and the next run has what it needs.
      expect(await warmReport(pool, request)).toMatchObject({ status: 'ok', stdout: 'fine\n' });
      await pool.close();
      const left = await leftAtLast(cells);
      expect(left, `after moment ${index}`).toEqual([]);
    }
    expect(killed).toBeGreaterThan(MOMENTS / 2);
    expect(statuses).toContain('ok');
  });

  it('a pool: the processes, mounts and sockets of it all are gone', async () => {
    const words = [join(import.meta.dirname, '../support/pool-process.mjs'), sharedHome(), MODULE];
    let members = 0;
    for (let index = 0; index < MOMENTS; index += 1) {
      const before = sockets();
      const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] });
      const ended = once(child, 'exit');
      // Every other time as soon as a run has begun, else while the first cells are made.
      const word = index % 2 === 0 ? 'begun' : 'ready';
      for await (const chunk of child.stdout) if (String(chunk).includes(word)) break;
      await new Promise((resolve) => void setTimeout(resolve, (index / MOMENTS) * LATEST_MS));
      const family = familyOf(child.pid);
      members += family.length;
      child.kill('SIGKILL');
      await ended;
      await until(() => family.every((pid) => !isSame(pid)));
      // Of one whose launcher did not know of its socket yet, that stays for the next.
      if (word === 'begun') await until(() => sockets().every((name) => before.includes(name)));
    }
    // A pool, its zygote's launcher and first process, and the zygote, at the least in the half of them.
    expect(members).toBeGreaterThan(MOMENTS * 4);
  });

  it('500 runs, and 200 of zygotes that are replaced after seven: nothing grows', async () => {
    const request = programRun(host.image({ preimport: [MODULE] }), `if 0: import ${MODULE}\nprint("fine")`);
    for (const [times, mostForks] of [
      [500, undefined],
      [200, 7],
    ] as const) {
      pool = host.pool({ size: 2, makers: 2, mostForks });
      await pool.prepare(request);
      const memory = process.memoryUsage.rss();
      const reports: RunReport[] = [];
      for (let index = 0; index < times; index += 1) reports.push(await warmReport(pool, request));
      expect(reports.filter((report) => report.stdout !== 'fine\n')).toEqual([]);
      expect(reports.filter(({ time }) => time.start === 'cold').length).toBeLessThan(times / 2);
      expect(pool.state()[0]?.zygote?.failure).toBeUndefined();
      const recycled = pool.state()[0]?.zygote?.recycled.forks ?? 0;
      expect(recycled).toBeGreaterThanOrEqual(mostForks === undefined ? 0 : 10);
      expect(process.memoryUsage.rss()).toBeLessThan(memory + MOST_GROWTH);
      await pool.close();
      expect(await leftAtLast(cells)).toEqual([]);
    }
    await until(() => readdirSync('/proc/self/fd').length <= descriptors);
  });
});

function expectOk({ status, stderr }: RunReport): void {
  if (status !== 'ok') throw new Error(`a first run ended with ${status}: ${stderr ?? ''}`);
}

/** A process and all below it, each with the moment of its start, so that a number that is used again is another. */
function familyOf(pid: number | undefined): readonly string[] {
  const family = [`${pid}`];
  const others = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  for (const parent of family) family.push(...others.filter((one) => statOf(one)[1] === parent));
  return family.map((one) => `${one} ${statOf(one)[19]}`);
}

function isSame(member: string): boolean {
  const [pid = '', start] = member.split(' ');
  return statOf(pid)[19] === start;
}

/** Fields of proc_pid_stat(5) from the state on. */
function statOf(pid: string): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1)?.split(' ') ?? [];
  } catch {
    return [];
  }
}

function sockets(): readonly string[] {
  return readdirSync('/run/rootcellar').filter((name) => name.startsWith('zygote-'));
}
