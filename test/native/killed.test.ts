import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { probeCgroups } from '../../src/run/cgroup-probe.ts';
import { sweepCgroups } from '../../src/run/cgroup-sweep.ts';
import { encodePlan, type LaunchPlan } from '../../src/run/launch-plan.ts';
import { CANNOT_SANDBOX, guestPids, leftovers, makeToyHost, removeToyHost, toyPlan, type ToyHost } from './toy-cell.ts';

const MOMENTS = 40;
/** A cell is set up within some milliseconds; the later moments are of the running program. */
const LATEST_MS = 16;
const SETTLE_MS = 10_000;

describe.skipIf(CANNOT_SANDBOX)('killed at any moment', () => {
  let host: ToyHost;
  let files: readonly string[];
  beforeAll(() => {
    host = makeToyHost(['fork-bomb', 'daemonise', 'supervise'], 350_000);
    files = filesOfOthers(host);
  }, 60_000);
  afterAll(() => removeToyHost(host));

  /** Starts `cell` or what starts it, with the plan as descriptor 3 and its status read by nobody. */
  async function startWith(program: string): Promise<{ readonly child: ChildProcess; readonly plan: LaunchPlan }> {
    const plan = await toyPlan(host, { program, arguments: ['stay'], limits: { processes: 16, wallMs: 60_000 } });
    const file = join(host.folder, 'plan');
    writeFileSync(file, encodePlan(plan));
    const descriptor = openSync(file, 'r');
    return { plan, child: spawnWith(descriptor) };
  }

  let spawnWith: (plan: number) => ChildProcess;

  /** What of all runs is there, control groups aside: those, a later run sweeps. */
  function alive(plan: LaunchPlan): readonly string[] {
    const left = leftovers(host, plan).filter((thing) => !(plan.cgroups?.directories ?? []).includes(thing));
    return [...left, ...launchers(host).map((pid) => `launcher or first process ${pid}`)];
  }

  async function untilDead(plan: LaunchPlan): Promise<readonly string[]> {
    const end = performance.now() + SETTLE_MS;
    let left = alive(plan);
    while (left.length > 0 && performance.now() < end) {
      await pause(5);
      left = alive(plan);
    }
    return left;
  }

  async function untilSwept(plan: LaunchPlan): Promise<readonly string[]> {
    const end = performance.now() + SETTLE_MS;
    const made = (): readonly string[] =>
      (plan.cgroups?.directories ?? []).filter((directory) => existsSync(directory));
    while (made().length > 0 && performance.now() < end) {
      await sweepCgroups(await probeCgroups(), { prefix: basename(host.folder), madeBefore: Number.MAX_SAFE_INTEGER });
      await pause(2);
    }
    return made();
  }

  /** Kills at moments spread over set-up and run, no two sessions the same. Gives how often a program was running. */
  async function killAtMoments(program: string): Promise<number> {
    let running = 0;
    for (let index = 0; index < MOMENTS; index += 1) {
      const moment = ((index + Math.random()) / MOMENTS) * LATEST_MS;
      const { child, plan } = await startWith(program);
      const ended = once(child, 'close');
      wait(moment);
      // To look takes as long as a set-up, so not every time.
      if (index % 2 === 1 && guestPids(host).length > 0) running += 1;
      child.kill('SIGKILL');
      await ended;
      expect(await untilDead(plan), `after ${moment} ms`).toEqual([]);
      expect(await untilSwept(plan), `after ${moment} ms`).toEqual([]);
    }
    return running;
  }

  it.each(['fork-bomb', 'daemonise'])('the launcher leaves nothing of %s', async (program) => {
    spawnWith = (plan) => {
      const child = spawn(host.cellPath, ['run'], { stdio: ['ignore', 'ignore', 'ignore', plan, 'pipe'] });
      closeSync(plan);
      return child;
    };
    expect(await killAtMoments(program)).toBeGreaterThan(0);
    expect(filesOfOthers(host)).toEqual(files);
  });

  it.each(['fork-bomb', 'daemonise'])('who supervises the launcher leaves nothing of %s', async (program) => {
    spawnWith = (plan) => {
      const supervisor = join(host.root, 'bin/supervise');
      const child = spawn(supervisor, [host.cellPath], { stdio: ['ignore', 'ignore', 'ignore', plan] });
      closeSync(plan);
      return child;
    };
    expect(await killAtMoments(program)).toBeGreaterThan(0);
    expect(filesOfOthers(host)).toEqual(files);
  });
});

/** Pids of what was started as our launcher and is no program yet: its keeper, and the cell's first process. */
function launchers({ cellPath }: ToyHost): readonly string[] {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name) && commandOf(name).startsWith(`${cellPath}\0`));
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1');
  } catch {
    return '';
  }
}

/** Where a cell could leave a file: its own folders are taken away with it, others' are not ours. */
function filesOfOthers(host: ToyHost): readonly string[] {
  const places = [host.folder, host.root, join(host.root, 'tmp'), join(host.root, 'run'), join(host.root, 'dev')];
  const own = places.flatMap((place) => readdirSync(place).map((name) => join(place, name)));
  const marked = [tmpdir(), '/run', '/dev/shm'].flatMap((place) =>
    (existsSync(place) ? readdirSync(place) : []).filter((name) => name.includes(basename(host.folder))),
  );
  // The lock file and the plan are the test's.
  return [...own.filter((file) => !['identities', 'plan'].includes(basename(file))), ...marked].toSorted();
}

/** Busy, for moments that are less than a timer's. */
function wait(milliseconds: number): void {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });
}
