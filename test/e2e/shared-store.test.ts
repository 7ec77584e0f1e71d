import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, watch } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  COMMAND,
  namesBelow,
  pythonImage,
  rootcellar,
  sharedHome,
  workplace,
  type Workplace,
} from '../support/command.ts';
import { startToyMachine, type ToyMachine } from '../support/toy-machine.ts';

const PROCESSES = 4;

let machine: ToyMachine;
let work: Workplace;

beforeAll(async () => {
  machine = await startToyMachine({
    debs: [
      ...['one', 'two', 'three', 'four'].map((name) => ({
        name,
        version: '1',
        files: { [`usr/share/${name}`]: name },
        fields: { Depends: 'shared, toy-python' },
      })),
      { name: 'shared', version: '2', files: { 'usr/share/shared': 's'.repeat(2e6) } },
    ],
    wheels: [
      { name: 'good', version: '1.0' },
      { name: 'better', version: '2', requires: ['good'] },
    ],
  });
  work = await workplace();
});

afterAll(async () => {
  await machine[Symbol.asyncDispose]();
  await work[Symbol.asyncDispose]();
});

async function recipe(folder: string, name: string, packages: readonly string[]): Promise<string> {
  return machine.recipe(work.path(folder), { name, packages, requirements: ['better'] });
}

async function build(path: string, home: string): Promise<string> {
  const ended = await rootcellar(['build', path], { home, environment: machine.environment });
  expect(ended).toMatchObject({ status: 0 });
  return /sha256:[0-9a-f]{64}/.exec(ended.stdout)?.[0] ?? '';
}

/** How often each file of artifacts was asked for while `action` ran. */
async function downloadsDuring(action: () => Promise<unknown>): Promise<ReadonlyMap<string, number>> {
  const servers = [machine.archive.server, machine.index.server];
  const before = servers.map(({ requests }) => requests.length);
  await action();
  const counts = new Map<string, number>();
  for (const [index, { requests }] of servers.entries()) {
    for (const request of requests.slice(before[index])) {
      if (/\.(?:deb|whl)$/.test(request)) counts.set(request, (counts.get(request) ?? 0) + 1);
    }
  }
  return counts;
}

/** How often each name came to be in a folder while `action` ran: a rename over a file counts again. */
async function arrivalsDuring(folder: string, action: () => Promise<unknown>): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>();
  const watcher = watch(folder, (kind, name) => {
    if (kind === 'rename' && name !== null) counts.set(name, (counts.get(name) ?? 0) + 1);
  });
  await action();
  watcher.close();
  return counts;
}

async function expectSound(home: string): Promise<void> {
  const checked = await rootcellar(['verify', '--store', '--json', '-q'], { home });
  expect(checked).toMatchObject({ status: 0 });
  expect(JSON.parse(checked.stdout)).toMatchObject({ leftovers: [] });
  expect(await namesBelow(join(home, 'tmp'))).toEqual([]);
  expect(await namesBelow(join(home, 'locks'))).toEqual([]);
}

describe('several builds that share a store', () => {
  it('of one recipe download and unpack each artifact once, and give one image', async () => {
    const path = await recipe('same', 'same', ['one']);
    const home = work.path('same-store');
    expect((await rootcellar(['lock', path], { home, environment: machine.environment })).status).toBe(0);
    let digests: readonly string[] = [];
    let packs: ReadonlyMap<string, number> = new Map();
    const downloads = await downloadsDuring(async () => {
      packs = await arrivalsDuring(join(home, 'unpacked'), async () => {
        digests = await Promise.all(Array.from({ length: PROCESSES }, () => build(path, home)));
      });
    });
    expect(new Set(digests).size).toBe(1);
    expect([...downloads.values()]).toEqual(Array.from({ length: machine.hasUv ? 7 : 5 }, () => 1));
    const stored = await namesBelow(join(home, 'unpacked'));
    expect(stored.length).toBeGreaterThan(7);
    expect(packs).toEqual(new Map(stored.map((name) => [name, 1])));
    expect(await namesBelow(join(home, 'names/same/amd64'))).toEqual(['1.json', 'current']);
    await expectSound(home);
  });

  it('of different recipes share what they have in common, and are locked at the same time', async () => {
    const names = ['one', 'two', 'three', 'four'];
    const paths = await Promise.all(names.map((name) => recipe('different', name, [name])));
    const home = work.path('different-store');
    const locks = paths.map((path) => rootcellar(['lock', path], { home, environment: machine.environment }));
    expect((await Promise.all(locks)).map(({ status }) => status)).toEqual([0, 0, 0, 0]);
    let together: readonly string[] = [];
    const downloads = await downloadsDuring(async () => {
      together = await Promise.all(paths.map((path) => build(path, home)));
    });
    expect(new Set(together).size).toBe(4);
    expect([...downloads.values()]).toEqual([...downloads.values()].map(() => 1));
    expect([...downloads.keys()].filter((path) => path.includes('/shared_'))).toHaveLength(1);
    await expectSound(home);
    const alone = await build(paths[0] ?? '', work.path('alone-store'));
    expect(alone).toBe(together[0]);
  });

  it('go on when one of them is killed, which holds nothing up', async () => {
    const path = await recipe('killed', 'killed', ['one', 'two']);
    const home = work.path('killed-store');
    expect((await rootcellar(['lock', path], { home, environment: machine.environment })).status).toBe(0);
    await mkdir(join(home, 'locks'), { recursive: true });
    const victim = spawn(process.execPath, [COMMAND, 'build', path], {
      detached: true,
      stdio: 'ignore',
      env: { ...process.env, ...machine.environment, ROOTCELLAR_HOME: home },
    });
    const end = once(victim, 'exit');
    const watcher = watch(join(home, 'locks'));
    watcher.on('change', (_, name) => {
      if (!String(name).startsWith('unpacked-') || victim.pid === undefined) return;
      watcher.close();
      process.kill(-victim.pid, 'SIGKILL');
    });
    const others = await Promise.all([build(path, home), build(path, home)]);
    await end;
    expect(victim.signalCode).toBe('SIGKILL');
    expect(new Set(others).size).toBe(1);
    await build(path, home);
    await rootcellar(['build', path, '-o', work.path('killed.tar')], { home, environment: machine.environment });
    await expectSound(home);
  });

  it('disturb nobody who reads or runs at the same time', async () => {
    await pythonImage();
    const paths = await Promise.all(['two', 'three'].map((name) => recipe('beside', name, [name])));
    const builds = Promise.all(paths.map((path) => build(path, sharedHome()))).then(() => 'built');
    for (let first = true, state = 'building'; first || state === 'building'; first = false) {
      const run = await rootcellar(['run', 'python', '-c', 'print(6 * 7)']);
      expect(run).toMatchObject({ status: 0, stdout: '42\n' });
      expect((await rootcellar(['show', 'python'])).status).toBe(0);
      state = await Promise.race([builds, Promise.resolve('building')]);
    }
    // Not the whole store: other tests take things away from it on purpose.
    for (const name of ['python', 'two', 'three']) {
      expect(await rootcellar(['verify', name])).toMatchObject({ status: 0 });
    }
    expect(existsSync(join(sharedHome(), 'names/python/amd64/current'))).toBe(true);
    expect(readFileSync(join(sharedHome(), 'names/two/amd64/1.json'), 'utf8')).toContain('"name":"two"');
  });
});
