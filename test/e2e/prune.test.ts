import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, lutimesSync, readdirSync } from 'node:fs';
import { appendFile, chmod, chown, cp, mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { noProgress, type ProgressEvent } from '../../src/base/progress.ts';
import { RootcellarError } from '../../src/base/rootcellar-error.ts';
import { buildImage } from '../../src/build-image.ts';
import { lockRecipe } from '../../src/lock-recipe.ts';
import { readRecipe } from '../../src/recipe/recipe-files.ts';
import { policyVocabulary } from '../../src/run/policy.ts';
import { pruneStore } from '../../src/store/prune-store.ts';
import { hexOf } from '../../src/base/digest.ts';
import { findImage, listGenerations } from '../../src/store/images.ts';
import { materialiseRootfs } from '../../src/store/rootfs-folder.ts';
import { Store } from '../../src/store/store.ts';
import { verifyStore } from '../../src/store/verify-store.ts';
import { WarmPool } from '../../src/warm-pool.ts';
import { CANNOT_SANDBOX } from '../native/toy-cell.ts';
import { COMMAND, pythonImage, rootcellar, sharedHome, workplace } from '../support/command.ts';
import type { Ended, Workplace } from '../support/command.ts';
import { requestOf } from '../support/pool-host.ts';
import { hostFault, hostUid, inHost } from '../support/restricted-host.ts';
import { startToyMachine, type ToyMachine } from '../support/toy-machine.ts';

const OWN = process.arch === 'x64' ? 'amd64' : 'arm64';
const SIGNAL = new AbortController().signal;

let work: Workplace;
beforeAll(async () => {
  work = await workplace();
  await chmod(work.folder, 0o755);
});
afterAll(() => work[Symbol.asyncDispose]());

/** Of a store that nobody else uses. */
async function faultsOf(home: string): Promise<readonly string[]> {
  const store = await Store.open({ home });
  try {
    const { faults } = await verifyStore(store, { signal: SIGNAL, progress: noProgress });
    return faults.map(({ message }) => message);
  } finally {
    await store.close();
  }
}

/** What `prune --json` says, each generation by its number. */
async function pruned(home: string, ...words: readonly string[]): Promise<Record<'removed' | 'spared', string[]>> {
  const { status, stdout, stderr } = await rootcellar(['prune', '-q', '--json', ...words], { home });
  if (status !== 0) throw new Error(stderr);
  const told: Record<'removed' | 'spared', { generation: number; reason?: string }[]> = JSON.parse(stdout);
  return {
    removed: told.removed.map(({ generation }) => `${generation}`),
    spared: told.spared.map(({ generation, reason }) => `${generation} ${reason}`),
  };
}

const RECIPE = `name: python
architectures: [${OWN}]
base: { debian: { suite: trixie, packages: [python3] } }
trim: [docs, locale, man]
files:
  /usr/lib/python3/dist-packages/late.py: { from: late.py }
`;

/** An image of Python whose generations say which they are, in a store of its own. */
describe.skipIf(CANNOT_SANDBOX)('rootcellar prune, with runs', () => {
  let home: string;
  let recipe: string;
  let made = 0;

  beforeAll(async () => {
    home = work.path('python-store');
    recipe = work.path('recipe');
    await mkdir(recipe);
    await appendFile(join(recipe, 'recipe.yaml'), RECIPE);
    await generation();
  }, 300_000);

  /** Makes the next one. */
  async function generation(): Promise<void> {
    made += 1;
    await rm(join(recipe, 'late.py'), { force: true });
    await appendFile(join(recipe, 'late.py'), `generation = ${made}\n`);
    // No package is resolved again: only a file has changed.
    const locked = await rootcellar(['lock', recipe], { home });
    if (locked.status !== 0) throw new Error(locked.stderr);
    const built = await rootcellar(['build', recipe, '--arch', OWN], { home });
    if (built.status !== 0) throw new Error(built.stderr);
  }

  async function run(reference = 'python'): Promise<Ended> {
    return rootcellar(['run', reference, '-q', '-c', 'import late; print(late.generation)'], { home });
  }

  /** A run that waits for a line before it imports the module. */
  async function longRun(): Promise<{ readonly finish: () => Promise<string> }> {
    const code = 'import sys; print("ready", flush=True); sys.stdin.readline(); import late; print(late.generation)';
    const words = [COMMAND, 'run', 'python', '-q', '--limit', 'wall=120s', '-c', code];
    const child = spawn(process.execPath, words, { env: { ...process.env, ROOTCELLAR_HOME: home } });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (more: string) => (text += more));
    await once(child.stdout, 'data');
    return {
      finish: async () => {
        child.stdin.end('\n');
        await once(child, 'close');
        return text;
      },
    };
  }

  it('lets runs, a warm pool and a zygote finish on what they began with', async () => {
    const first = made;
    const store = await Store.open({ home });
    const now = Math.floor(Date.now() / 1000);
    const context = {
      store,
      environment: {},
      hostArchitecture: OWN,
      signal: SIGNAL,
      progress: noProgress,
      now,
    } as const;
    const pools = [false, true].map(
      (zygotes) => new WarmPool(() => context, { size: 1, kinds: 2, makers: 1, zygotes }),
    );
    const request = requestOf(await findImage(store, 'python', OWN), { code: 'import late; print(late.generation)' });
    try {
      for (const pool of pools) await pool.prepare(request);
      const long = await longRun();
      for (let count = 0; count < 3; count += 1) await generation();
      expect(await pruned(home, '--keep', '2')).toEqual({ removed: [`${first + 1}`], spared: [`${first} in-use`] });
      for (const pool of [...pools, ...pools]) {
        await pool.prepare(request);
        const report = await (await pool.start(request)).report;
        expect(report).toMatchObject({ status: 'ok', stdout: `${first}\n`, time: { start: 'warm' } });
      }
      const refused = await rootcellar(['remove', 'python'], { home });
      expect(refused.stderr).toContain(
        `error[E_STORE_BUSY] image \`python\`: generation ${first} for ${OWN} is in use`,
      );
      expect(await long.finish()).toBe(`ready\n${first}\n`);
      expect((await pruned(home, '--keep', '2')).spared).toEqual([`${first} in-use`]);
    } finally {
      await Promise.all(pools.map((pool) => pool.close()));
      await store.close();
    }
    expect((await pruned(home, '--keep', '2')).removed).toEqual([`${first}`]);
    expect(await run()).toMatchObject({ status: 0, stdout: `${made}\n` });
    const back = await rootcellar(['rollback', 'python', '--to', `${first}`], { home });
    expect(back.stderr).toContain('E_GENERATION_NOT_FOUND');
    const gone = await run(`python@${first}`);
    expect(gone.stderr).toContain('E_IMAGE_NOT_FOUND');
  }, 180_000);

  it('is not noticed by runs that begin, switch and end meanwhile', async () => {
    const lane = { isOver: false, ended: new Array<string>() };
    const runs = (async () => {
      while (!lane.isOver) {
        const { status, stdout, stderr } = await run();
        lane.ended.push(status === 0 && Number(stdout) > 0 ? 'ok' : stderr);
      }
    })();
    for (let round = 0; round < 2; round += 1) {
      await generation();
      await pruned(home, '--keep', '1');
    }
    lane.isOver = true;
    await runs;
    expect(new Set(lane.ended)).toEqual(new Set(['ok']));
    expect(lane.ended.length).toBeGreaterThan(1);
    expect(await faultsOf(home)).toEqual([]);
  }, 120_000);

  it('removes a name with a loaded tar, and lays out again what a run needs', async () => {
    const tar = work.path('python.tar');
    const built = await rootcellar(['build', recipe, '--arch', OWN, '-o', tar], { home });
    expect(built.status).toBe(0);
    const code = 'print(6 * 7)';
    expect(await rootcellar(['run', tar, '-q', '-c', code], { home })).toMatchObject({ stdout: '42\n' });
    const { stdout } = await rootcellar(['images', '-q'], { home });
    const [name = ''] = /tar-[0-9a-f]+/.exec(stdout) ?? [];
    // The same bytes under another name: the files for cells stay.
    const removed = await rootcellar(['remove', name], { home });
    expect(removed).toMatchObject({ status: 0, stdout: expect.stringMatching(/generation 1: removed\n.* freed/) });
    expect((await rootcellar(['images', '-q'], { home })).stdout).not.toContain('tar-');
    expect(await run()).toMatchObject({ status: 0, stdout: `${made}\n` });
    expect((await rootcellar(['remove', 'python', '-q'], { home })).status).toBe(0);
    const left = ['names', 'images', 'unpacked', 'rootfs', 'inputs'].flatMap((folder) =>
      readdirSync(join(home, folder)),
    );
    expect(left).toEqual([]);
    expect(await faultsOf(home)).toEqual([]);
    // Downloads are of today: nothing has to be had again.
    expect((await rootcellar(['build', recipe, '--arch', OWN], { home })).status).toBe(0);
    expect(await run()).toMatchObject({ status: 0, stdout: `${made}\n` });
  }, 120_000);
});

describe.skipIf(CANNOT_SANDBOX).each([
  ['B', 'rootless'],
  ['C', 'docker'],
  ['D', 'kubernetes'],
] as const)('an image that runs in tier %s', (tier, kind) => {
  it.skipIf(hostFault(kind) !== undefined)(
    'is in use for who removes images there',
    async () => {
      await pythonImage();
      const shared = work.path(`tier-${tier}`);
      const tar = join(shared, 'python.tar');
      await mkdir(shared);
      const whole = work.path('shared.tar');
      if (!existsSync(whole)) {
        const built = await rootcellar(['build', join(dirname(sharedHome()), 'python'), '-o', whole]);
        if (built.status !== 0) throw new Error(built.stderr);
      }
      await cp(whole, tar);
      for (const path of [shared, tar]) await chown(path, hostUid(kind), hostUid(kind));
      const { stdout, stderr } = await inHost(kind, {
        words: [
          process.execPath,
          join(import.meta.dirname, '../support/programs/run-and-remove.mjs'),
          join(dirname(COMMAND), '..'),
          tar,
        ],
        environment: { ROOTCELLAR_HOME: join(shared, 'store') },
        folders: [shared],
      });
      if (!stdout.startsWith('{')) throw new Error(stderr);
      const told: unknown = JSON.parse(stdout);
      expect(told).toEqual({ tier, status: 'cancelled', first: 'E_STORE_BUSY', afterwards: 1, left: [] });
    },
    120_000,
  );
});

/** Builds and prunes of toys, which take no time. */
describe('rootcellar prune, with builds', () => {
  let machine: ToyMachine;
  beforeAll(async () => {
    machine = await startToyMachine({
      debs: [
        { name: 'app', version: '1.0', files: { 'usr/share/app': 'a'.repeat(1e6) }, fields: { Depends: 'common' } },
        { name: 'tool', version: '1.0', files: { 'usr/share/tool': 't'.repeat(1e6) }, fields: { Depends: 'common' } },
        { name: 'common', version: '1', files: { 'usr/share/common': 'c'.repeat(1e6) } },
      ],
    });
  });
  afterAll(() => machine[Symbol.asyncDispose]());

  async function build(folder: string, home: string): Promise<Ended> {
    const options = { home, environment: machine.environment };
    const locked = await rootcellar(['lock', folder], options);
    return locked.status === 0 ? rootcellar(['build', folder], options) : locked;
  }

  async function recipe(place: string, name: string): Promise<string> {
    const more = 'files:\n  /usr/share/word: { from: word }\n';
    const folder = await machine.recipe(work.path(place), { name, packages: [name], more });
    await change(folder, '0');
    return folder;
  }

  it('does not begin while a build or a lock is at work', async () => {
    const folder = await recipe('held-recipes', 'app');
    const store = await Store.open({ home: work.path('held') });
    const tries = new Map<string, Promise<string>>();
    const tryOut = async (): Promise<string> =>
      pruneStore(store, { keep: 1, nowMs: Date.now(), waitMs: 0 }).then(
        () => 'pruned',
        (error: unknown) => (error instanceof RootcellarError ? error.code : String(error)),
      );
    const progress = (event: ProgressEvent): void => {
      if (event.kind === 'begin') tries.set(event.step, tryOut());
    };
    const environment = { ...process.env, ...machine.environment };
    const now = Math.floor(Date.now() / 1000);
    const context = { store, environment, hostArchitecture: OWN, signal: SIGNAL, progress, now } as const;
    const read = await readRecipe(folder, policyVocabulary());
    const { lock } = await lockRecipe({ recipe: read, upgrade: 'none' }, context);
    const image = await buildImage({ recipe: read, lock, architecture: OWN, output: undefined }, context);
    const told = await Promise.all(tries.values());
    expect([...tries.keys()]).toEqual(expect.arrayContaining(['resolve', 'download', 'unpack', 'assemble']));
    expect(new Set(told)).toEqual(new Set(['E_STORE_BUSY']));
    expect(await tryOut()).toBe('pruned');
    expect(await findImage(store, 'app', OWN)).toEqual(image);
    await store.close();
  }, 60_000);

  it('never takes from a build what it finds or makes', async () => {
    const home = work.path('beside');
    const folders = await Promise.all(['app', 'tool'].map((name) => recipe('beside-recipes', name)));
    const lane = { isOver: false, prunes: 0 };
    const prunes = (async () => {
      while (!lane.isOver) {
        // Nothing is kept of what has no name: packs of the one that was removed go in each round.
        await rootcellar(['prune', '--keep', '1', '-q'], { home });
        await rootcellar(['remove', 'tool', '-q'], { home });
        lane.prunes += 1;
      }
    })();
    const builds = new Array<string>();
    for (let round = 0; round < 4; round += 1) {
      await Promise.all(folders.map((folder) => change(folder, `${round}`)));
      const ended = await Promise.all(folders.map((folder) => build(folder, home)));
      builds.push(...ended.map(({ status, stderr }) => (status === 0 ? 'ok' : stderr)));
    }
    lane.isOver = true;
    await prunes;
    expect(new Set(builds)).toEqual(new Set(['ok']));
    expect(lane.prunes).toBeGreaterThan(3);
    expect(await faultsOf(home)).toEqual([]);
  }, 120_000);

  it('leaves a sound store when it is killed at any moment, and ends what was begun', async () => {
    const home = work.path('killed');
    const folder = await recipe('killed-recipes', 'app');
    for (const word of ['1', '2', '3', '4', '5', '6']) {
      await change(folder, word);
      const built = await build(folder, home);
      if (built.status !== 0) throw new Error(built.stderr);
    }
    await layOutAll(home);
    const long = new Date(Date.now() - 120_000);
    lutimesSync(join(home, 'names/app', OWN, 'previous'), long, long);
    const whole = work.path('killed-whole');
    copy(home, whole);
    const states = new Set<string>();
    for (const [call, time] of MOMENTS) {
      const place = work.path(`killed-${call}-${time}`);
      copy(whole, place);
      killedAt(place, call, time);
      expect(await faultsOf(place)).toEqual([]);
      const left = await generations(place);
      states.add(`${left.length} ${readdirSync(join(place, 'rootfs')).length}`);
      expect(left.at(-1)).toBe(6);
      await pruned(place, '--keep', '1');
      expect(readdirSync(join(place, 'images'))).toEqual([(await current(place)).slice(0, 64)]);
      expect(readdirSync(join(place, 'tmp'))).toEqual([]);
      await rm(place, { recursive: true });
    }
    console.info(`generations and laid-out roots after a kill: ${[...states].join(', ')}`);
    expect(states.size).toBeGreaterThan(3);
  }, 180_000);
});

/** With all times and owners. */
function copy(from: string, to: string): void {
  execFileSync('cp', ['-a', from, to]);
}

/** Of a system call, the time before which it is killed: links and generations, folders, trees and packs. */
const MOMENTS = [
  ...[8, 10, 12, 14, 17, 20].map((time) => ['unlink', time] as const),
  ...[3, 4, 5, 6].map((time) => ['rename', time] as const),
];

function killedAt(home: string, call: string, time: number): void {
  const strace = [
    '-f',
    '-qq',
    '-o',
    '/dev/null',
    '-e',
    `trace=${call}`,
    '-e',
    `inject=${call}:signal=KILL:when=${time}`,
  ];
  const words = [process.execPath, COMMAND, 'prune', '--keep', '1', '-q'];
  spawnSync('strace', [...strace, ...words], { stdio: 'ignore', env: { ...process.env, ROOTCELLAR_HOME: home } });
}

async function layOutAll(home: string): Promise<void> {
  const store = await Store.open({ home });
  for (const image of await listGenerations(store, 'app', OWN)) {
    await materialiseRootfs(store, image, { progress: noProgress });
  }
  await store.close();
}

async function generations(home: string): Promise<readonly number[]> {
  const store = await Store.open({ home });
  return (await listGenerations(store, 'app', OWN)).map(({ generation }) => generation);
}

async function current(home: string): Promise<string> {
  const store = await Store.open({ home });
  return hexOf((await findImage(store, 'app', OWN)).diffId);
}

async function change(folder: string, word: string): Promise<void> {
  await rm(join(folder, 'word'), { force: true });
  await appendFile(join(folder, 'word'), word);
}
