import { readFileSync, writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CANNOT_SANDBOX } from '../native/toy-cell.ts';
import { rootcellar, workplace, type Workplace } from '../support/command.ts';
import { startLasting, type Lasting } from '../support/served.ts';
import type { ToyDeb } from '../support/toy-archive.ts';
import { startToyMachine, type ToyMachine } from '../support/toy-machine.ts';

let machine: ToyMachine;
let work: Workplace;
const patience = { timeout: 60_000, interval: 50 };

/** More than Node takes for a leak when all wait for an answer at once. */
const MANY = Array.from({ length: 20 }, (_, index) => `p${index}`);

function app(version: number): ToyDeb {
  return { name: 'app', version: `1.${version}`, files: { 'usr/share/app': `${version}` } };
}

beforeAll(async () => {
  const wheels = MANY.map((name) => ({ name, version: '1.0' }));
  machine = await startToyMachine({ debs: [app(0), { name: 'other', version: '7' }], wheels });
  work = await workplace();
});
afterAll(async () => {
  await machine[Symbol.asyncDispose]();
  await work[Symbol.asyncDispose]();
});

function command(...words: readonly string[]): ReturnType<typeof rootcellar> {
  return rootcellar(words, { home: work.path('store'), environment: machine.environment });
}

function lasting(...words: readonly string[]): Lasting {
  return startLasting(['refresh', ...words], {
    home: work.path('store'),
    cwd: work.path('.'),
    environment: machine.environment,
  });
}

async function built(name: string, more = '', requirements: readonly string[] = []): Promise<string> {
  const packages = ['app', 'toy-python'];
  const recipe = await machine.recipe(work.path('recipes'), { name, packages, more, requirements });
  const { status, stderr } = await command('build', recipe);
  if (status !== 0) throw new Error(stderr);
  return recipe;
}

function edit(recipe: string, from: string, to: string): void {
  const file = join(recipe, 'recipe.yaml');
  writeFileSync(file, readFileSync(file, 'utf8').replace(from, to));
}

async function locks(): Promise<readonly string[]> {
  return readdir(work.path('store/locks'));
}

describe.skipIf(CANNOT_SANDBOX)('rootcellar refresh of several recipes', () => {
  it('refreshes each, whatever becomes of another, and ends with the worst', async () => {
    const [first, last] = [await built('first'), await built('last')];
    const unbuilt = await machine.recipe(work.path('recipes'), { name: 'unbuilt', packages: ['app'] });
    const told = await command('refresh', first, unbuilt, work.path('nowhere'), last, '-q');
    expect(told.stdout).toBe('first: nothing new\nlast: nothing new\n');
    expect(told).toMatchObject({ status: 1, stderr: expect.stringMatching(/E_LOCK_MISSING[^]*E_RECIPE_NOT_FOUND/) });
    await machine.publishDebs([app(1), { name: 'other', version: '7' }]);
    expect(await command('refresh', first, last, '--check', '-q')).toMatchObject({ status: 10 });
    expect(await command('refresh', first, last, '--report', work.path('r'))).toMatchObject({ status: 2 });
  });
});

describe.skipIf(CANNOT_SANDBOX)('rootcellar refresh --every', () => {
  it('takes what is new, says a line for each cycle, and needs no restart after any edit', async () => {
    const recipe = await built('kept', '', machine.hasUv ? MANY : []);
    await using process = lasting(recipe, '--every', '1s', '--jitter', '0s');
    await expect.poll(process.stderr, patience).toMatch(/Z kept: nothing new; next \d{4}-\d\d-\d\dT/);
    await machine.publishDebs([app(2), { name: 'other', version: '7' }]);
    await expect.poll(process.stderr, patience).toMatch(/kept: \w+ generation 2 is current: app 1\.\d → 1\.2; next/);
    edit(recipe, 'name: kept', 'nome: kept');
    await expect.poll(process.stderr, patience).toMatch(/kept: error\[E_RECIPE_KEY\] .*did you mean/);
    edit(recipe, 'nome: kept', 'name: kept');
    edit(recipe, 'app, toy-python', 'app, other, toy-python');
    await expect.poll(process.stderr, patience).toMatch(/kept: \w+ generation 3 is current: other added/);
    process.kill('SIGTERM');
    expect(await process.ended).toBe(0);
    // Nothing but one line for each cycle.
    expect(
      process
        .stderr()
        .trimEnd()
        .split('\n')
        .filter((line) => !/^[-\d:T]+Z kept: .*; next /.test(line)),
    ).toEqual([]);
    expect([process.stdout(), await locks()]).toEqual(['', []]);
  });

  it('is woken by an edit long before its time', async () => {
    const recipe = await built('edited');
    await using process = lasting(recipe, '--every', '300d');
    await expect.poll(process.stderr, patience).toContain('edited: its schedule has begun; next ');
    edit(recipe, 'app, toy-python', 'app, other, toy-python');
    await expect.poll(process.stderr, patience).toContain('generation 2 is current: other added');
    process.kill('SIGINT');
    expect(await process.ended).toBe(0);
  });

  it('tells of each cycle by one JSON object', async () => {
    const recipe = await built('told');
    await using process = lasting(recipe, '--every', '1s', '--json');
    const cycles = (): readonly string[] => process.stdout().split('\n').slice(0, -1);
    await expect.poll(cycles, patience).toHaveLength(2);
    process.kill('SIGINT');
    expect(await process.ended).toBe(0);
    for (const line of cycles()) {
      const refresh = { name: 'told', result: 'current', next: expect.stringMatching(/^20/), problems: [] };
      expect(JSON.parse(line)).toMatchObject({ event: 'result', refresh });
    }
    expect(process.stderr()).toBe('');
  });

  it('follows the recipe’s own schedule, and refuses one that has none', async () => {
    const recipe = await built('own', 'refresh: { every: 30d, jitter: 0s }\n');
    expect(await command('refresh', recipe, await built('plain'), '--scheduled')).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('`plain`: its recipe has no schedule'),
    });
    await using scheduled = lasting(recipe, '--scheduled');
    await expect.poll(scheduled.stderr, patience).toContain('own: its schedule has begun; next ');
    edit(recipe, '30d', '40d');
    await expect.poll(scheduled.stderr, patience).toContain('own: nothing new; next ');
    const [, next = ''] = /nothing new; next (\S+)/.exec(scheduled.stderr()) ?? [];
    expect((Date.parse(next) - Date.now()) / 86_400_000).toBeGreaterThan(35);
  });

  it('ends at once on a signal while a refresh is under way, and leaves nothing half-made', async () => {
    const recipe = await built('stopped');
    for (const moment of [/begun/, /resolve:/, /(?:compile|assemble|store):/]) {
      await machine.publishDebs([app(100 + String(moment).length), { name: 'other', version: '7' }]);
      await using process = lasting(recipe, '--every', '1s', '--verbose');
      await expect.poll(process.stderr, patience).toMatch(moment);
      process.kill('SIGTERM');
      expect(await process.ended, process.stderr()).toBe(0);
      expect(process.stderr()).not.toContain('E_CANCELLED');
      expect(await locks()).toEqual([]);
    }
    expect((await command('verify', '--store', '-q')).status).toBe(0);
    expect((await command('refresh', recipe, '-q')).status).toBe(0);
  });
});
