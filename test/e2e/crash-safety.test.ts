import { spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, watch } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { noProgress } from '../../src/base/progress.ts';
import { parseLockfile } from '../../src/lock/lockfile-parser.ts';
import { formatLockfile } from '../../src/lock/lockfile-text.ts';
import { Store } from '../../src/store/store.ts';
import { verifyStore } from '../../src/store/verify-store.ts';
import { COMMAND, rootcellar, workplace, type Workplace } from '../support/command.ts';
import { startToyMachine, type ToyMachine } from '../support/toy-machine.ts';

const KILLS = Number(process.env['ROOTCELLAR_KILLS'] ?? 200);
const SEED = Number(process.env['ROOTCELLAR_SEED'] ?? Math.floor(Math.random() * 2 ** 32));

/** Recipes and stores that are worked on at the same time. */
const LANES = 2;
/** After so many kills in a row, a build may end, and everything is looked at. */
const MOST_IN_A_ROW = 8;

/** mulberry32: the same numbers from 0 to 1 for the same seed. */
function numbersOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A recipe, its store and its tar, in a folder of their own. */
interface Lane {
  readonly recipe: string;
  readonly home: string;
  readonly tar: string;
}

/** When a build is killed, as a share of the time that a whole one takes, and what is killed: its children too, or it alone. */
interface Moment {
  readonly share: number;
  readonly isWhole: boolean;
}

let machine: ToyMachine;
let work: Workplace;
let promised = '';
let lockfile = '';
let durationMs = 0;

beforeAll(async () => {
  machine = await startToyMachine({
    debs: [
      { name: 'app', version: '1.0', files: { 'usr/share/app': 'a'.repeat(3e6) }, fields: { Depends: 'lib-one' } },
      { name: 'lib-one', version: '1', files: { 'usr/share/one': '1' } },
    ],
    wheels: [
      { name: 'good', version: '1.0' },
      { name: 'better', version: '2', requires: ['good'], files: { 'better.py': 'x = 1\n'.repeat(5000) } },
    ],
  });
  work = await workplace();
  const lanes = await Promise.all(Array.from({ length: LANES }, (_, index) => makeLane(index)));
  const start = performance.now();
  const ended = await Promise.all(lanes.map(build));
  durationMs = performance.now() - start;
  promised = /sha256:[0-9a-f]{64}/.exec(ended[0]?.stdout ?? '')?.[0] ?? '';
  lockfile = readFileSync(lockfileOf(lanes[0] ?? { recipe: '', home: '', tar: '' }), 'utf8');
  if (promised === '') throw new Error(ended[0]?.stderr);
  console.info(`lock and build, ${LANES} at a time: ${Math.round(durationMs)} ms`);
});

afterAll(async () => {
  await machine[Symbol.asyncDispose]();
  await work[Symbol.asyncDispose]();
});

async function makeLane(index: number): Promise<Lane> {
  const folder = work.path(`lane-${index}`);
  const packages = ['app', 'toy-python'];
  const recipe = await machine.recipe(folder, { name: 'toy', packages, requirements: ['better'] });
  await mkdir(join(folder, 'out'), { recursive: true });
  return { recipe, home: join(folder, 'store'), tar: join(folder, 'out/toy.tar') };
}

function lockfileOf({ recipe }: Lane): string {
  return join(recipe, 'recipe.lock.json');
}

async function build({ recipe, home, tar }: Lane): Promise<Awaited<ReturnType<typeof rootcellar>>> {
  return rootcellar(['build', recipe, '-o', tar], { home, environment: machine.environment });
}

/** A build in a process group of its own. */
function startBuild({ recipe, home, tar }: Lane): ChildProcess {
  return spawn(process.execPath, [COMMAND, 'build', recipe, '-o', tar], {
    detached: true,
    stdio: 'ignore',
    env: { ...process.env, ...machine.environment, ROOTCELLAR_HOME: home },
  });
}

/**
 * SIGKILL to the process, or to its whole group; waits until it is gone, and until the programs that it had started are.
 * False when it had ended by itself.
 */
async function killNow(child: ChildProcess, isWhole: boolean): Promise<boolean> {
  const { pid } = child;
  const ended = new Promise((resolve) => child.once('exit', (_, signal) => resolve(signal === 'SIGKILL')));
  if (pid === undefined || child.exitCode !== null) return false;
  process.kill(isWhole ? -pid : pid, 'SIGKILL');
  const isKilled = (await ended) === true;
  while (isAlive(-pid)) await setTimeout(5);
  return isKilled;
}

function isAlive(group: number): boolean {
  try {
    return process.kill(group, 0);
  } catch {
    return false;
  }
}

/** Nothing is kept of earlier rounds. */
function startCold(lane: Lane): void {
  rmSync(lane.home, { recursive: true, force: true });
  rmSync(lockfileOf(lane), { force: true });
  rmSync(lane.tar, { force: true });
}

/** What a killed build may not leave: damage in the store, half a lockfile, half a tar. */
async function damageOf(lane: Lane): Promise<readonly string[]> {
  const faults: string[] = [];
  if (existsSync(lockfileOf(lane))) {
    const text = readFileSync(lockfileOf(lane), 'utf8');
    if (withoutIdentity(text) !== withoutIdentity(lockfile)) faults.push(`lockfile: ${text}`);
  }
  if (existsSync(lane.tar) && (await digestOfFile(lane.tar)) !== promised) faults.push('half a tar');
  return [...faults, ...(await storeFaults(lane)).faults];
}

/** A lockfile as it is before the first build has ended. Throws when it is not whole. */
function withoutIdentity(text: string): string {
  const lock = parseLockfile(text, 'the lockfile');
  const targets = [...lock.targets].map(([key, target]) => [key, { ...target, diffId: undefined }] as const);
  return formatLockfile({ ...lock, targets: new Map(targets) });
}

async function storeFaults({ home }: Lane): Promise<{ faults: readonly string[]; leftovers: readonly string[] }> {
  if (!existsSync(home)) return { faults: [], leftovers: [] };
  const store = await Store.open({ home });
  const { faults, leftovers } = await verifyStore(store, {
    signal: new AbortController().signal,
    progress: noProgress,
  });
  await store.close();
  return { faults: faults.map(({ message }) => message), leftovers };
}

async function digestOfFile(path: string): Promise<string> {
  return `sha256:${createHash('sha256')
    .update(await readFile(path))
    .digest('hex')}`;
}

/** What a child of a killed process still holds cannot be swept yet: the first command after its end does it. */
async function buildUntilSwept(lane: Lane): Promise<void> {
  for (let tries = 0; tries < 10 && (await storeFaults(lane)).leftovers.length > 0; tries += 1) {
    await setTimeout(500);
    await build(lane);
  }
}

/** The next build gives the right bytes, and nothing of the killed ones is left. */
async function expectMended(lane: Lane): Promise<void> {
  const ended = await build(lane);
  expect(ended).toMatchObject({ status: 0 });
  expect(ended.stdout).toContain(promised);
  expect(await digestOfFile(lane.tar)).toBe(promised);
  expect(readFileSync(lockfileOf(lane), 'utf8')).toBe(lockfile);
  await buildUntilSwept(lane);
  expect(await storeFaults(lane)).toEqual({ faults: [], leftovers: [] });
  expect(readdirSync(lane.recipe).filter((name) => name.startsWith('.'))).toEqual([]);
  expect(readdirSync(dirname(lane.tar))).toEqual(['toy.tar']);
  expect(readdirSync(join(lane.home, 'tmp'))).toEqual([]);
}

/** Kills builds at moments of `queue` until it is empty. One that comes after the end of its build is drawn again. */
async function killInTurns(lane: Lane, queue: Moment[], random: () => number): Promise<number> {
  let kills = 0;
  while (queue.length > 0) {
    startCold(lane);
    for (let inARow = 0; inARow < MOST_IN_A_ROW; inARow += 1) {
      const moment = queue.pop();
      if (moment === undefined) break;
      const child = startBuild(lane);
      await setTimeout(moment.share * durationMs);
      if (!(await killNow(child, moment.isWhole))) {
        queue.push(inARow === 0 ? { ...moment, share: moment.share * random() } : moment);
        break;
      }
      kills += 1;
      expect(await damageOf(lane)).toEqual([]);
    }
    await expectMended(lane);
  }
  return kills;
}

/** One moment in each part of a build's time, in random order. */
function moments(count: number, random: () => number): Moment[] {
  const ordered = Array.from({ length: count }, (_, index) => {
    return { share: (index + random()) / count, isWhole: random() < 0.75, rank: random() };
  });
  return ordered.toSorted((a, b) => a.rank - b.rank);
}

describe('a store and a recipe after SIGKILL', () => {
  it(`are sound after ${KILLS} kills at random moments, and the next build gives the right bytes`, async () => {
    console.info(`${KILLS} kills; to have them again: ROOTCELLAR_SEED=${SEED} ROOTCELLAR_KILLS=${KILLS}`);
    const random = numbersOf(SEED);
    const queue = moments(KILLS, random);
    const lanes = await Promise.all(Array.from({ length: LANES }, (_, index) => makeLane(index)));
    const kills = await Promise.all(lanes.map((lane) => killInTurns(lane, queue, random)));
    expect(kills.reduce((sum, count) => sum + count, 0)).toBe(KILLS);
  }, 900_000);

  it.each(['partial', 'artifacts', 'unpacked', 'images', 'names'])(
    'are sound when it comes as soon as something in `%s` changes',
    async (place) => {
      const lane = await makeLane(0);
      startCold(lane);
      await mkdir(lane.home);
      expect(await killAtChange(lane, lane.home, place)).toBe(true);
      expect(await damageOf(lane)).toEqual([]);
      await expectMended(lane);
    },
  );

  it.each(['recipe', 'out'])(
    'are sound when it comes as soon as something in the folder of `%s` changes',
    async (place) => {
      const lane = await makeLane(1);
      startCold(lane);
      const folder = place === 'recipe' ? lane.recipe : dirname(lane.tar);
      expect(await killAtChange(lane, folder, '')).toBe(true);
      expect(await damageOf(lane)).toEqual([]);
      await expectMended(lane);
    },
  );
});

/** Kills a build when the kernel tells of a change below `folder` of something whose path begins so. */
async function killAtChange(lane: Lane, folder: string, prefix: string): Promise<boolean> {
  const child = startBuild(lane);
  const watcher = watch(folder, { recursive: true });
  const ended = new Promise<boolean>((resolve) => child.once('exit', (_, signal) => resolve(signal === 'SIGKILL')));
  watcher.on('change', (_, name) => {
    if (!String(name).startsWith(prefix) || child.pid === undefined || child.exitCode !== null) return;
    watcher.close();
    process.kill(-child.pid, 'SIGKILL');
  });
  const isKilled = await ended;
  watcher.close();
  return isKilled;
}
