import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CANNOT_SANDBOX } from '../native/toy-cell.ts';
import { COMMAND, rootcellar, workplace, type Workplace } from '../support/command.ts';
import type { ToyDeb } from '../support/toy-archive.ts';
import { startToyMachine, type ToyMachine } from '../support/toy-machine.ts';

const MOMENTS = Number(process.env['ROOTCELLAR_REFRESH_KILLS'] ?? 30);

let machine: ToyMachine;
let work: Workplace;
let recipe: string;
let durationMs = 0;

function app(version: number): ToyDeb {
  return { name: 'app', version: `1.${version}`, files: { 'usr/share/app': `${version}` } };
}

beforeAll(async () => {
  machine = await startToyMachine({ debs: [app(0)] });
  work = await workplace();
  recipe = await machine.recipe(work.path('toy'), { name: 'toy', packages: ['app', 'toy-python'] });
  const built = await command('build', recipe);
  if (built.status !== 0) throw new Error(built.stderr);
  await machine.publishDebs([app(1)]);
  const start = performance.now();
  const refreshed = await command('refresh', recipe);
  durationMs = performance.now() - start;
  if (refreshed.status !== 0) throw new Error(refreshed.stderr);
});
afterAll(async () => {
  await machine[Symbol.asyncDispose]();
  await work[Symbol.asyncDispose]();
});

function command(...words: readonly string[]): ReturnType<typeof rootcellar> {
  return rootcellar(words, { home: work.path('store'), environment: machine.environment });
}

/** The version that a run of the current generation sees. */
async function served(): Promise<number> {
  const { stdout, stderr } = await command('run', 'toy', '-q', '-c', 'print(open("/usr/share/app").read())');
  expect(stdout, stderr).toMatch(/^\d+\n$/);
  return Number(stdout);
}

/** The version in the lockfile. */
function locked(): number {
  const text = readFileSync(join(recipe, 'recipe.lock.json'), 'utf8');
  return Number(/"name": "app".*?"version": "1\.(\d+)"/.exec(text)?.[1]);
}

async function killedRefresh(afterMs: number): Promise<void> {
  const child = spawn(process.execPath, [COMMAND, 'refresh', recipe], {
    detached: true,
    stdio: 'ignore',
    env: { ...process.env, ...machine.environment, ROOTCELLAR_HOME: work.path('store') },
  });
  const ended = once(child, 'exit');
  await setTimeout(afterMs);
  if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL');
  await ended;
}

describe.skipIf(CANNOT_SANDBOX)('a refresh that is killed', () => {
  it(`leaves the old generation or the new one, ${MOMENTS} times, and the next one goes on`, async () => {
    const seen = new Set<string>();
    let before = 1;
    for (let index = 0; index < MOMENTS; index += 1) {
      const next = index + 2;
      await machine.publishDebs([app(next)]);
      await killedRefresh(((index + Math.random()) / MOMENTS) * durationMs * 1.1);
      const now = await served();
      expect([before, next]).toContain(now);
      // What is locked is never newer than what serves.
      expect(locked()).toBeLessThanOrEqual(now);
      seen.add(now === before ? 'old' : 'new');
      before = now;
    }
    expect(seen).toContain('old');
    const last = await command('refresh', recipe, '-q');
    expect(last).toMatchObject({ status: 0 });
    expect([await served(), locked()]).toEqual([MOMENTS + 1, MOMENTS + 1]);
    expect((await command('verify', '--store', '-q')).status).toBe(0);
  });

  it('waits for another of the same recipe, and finds its work done', async () => {
    await machine.publishDebs([app(1000)]);
    const both = await Promise.all([command('refresh', recipe, '-q'), command('refresh', recipe, '-q')]);
    expect(both.map(({ status }) => status)).toEqual([0, 0]);
    const texts = both.map(({ stdout }) => (stdout === 'toy: nothing new\n' ? 'nothing new' : 'is current'));
    expect(texts.toSorted()).toEqual(['is current', 'nothing new']);
    expect(await served()).toBe(1000);
  });
});
