import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatDuration } from '../../src/base/units.ts';
import { rootcellar, workplace, type Ended, type Workplace } from '../support/command.ts';
import { startToyMachine, type ToyMachine } from '../support/toy-machine.ts';

const run = promisify(execFile);
const PACKAGES = 100;
const TURNS = 7;
const rows: string[] = [];

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

async function timed(action: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await action();
  return performance.now() - start;
}

/** An image of 100 wheels on a machine whose archive and index are on loopback, so that no network is measured. */
describe.sequential('refresh', () => {
  let machine: ToyMachine;
  let work: Workplace;
  let recipe: string;

  beforeAll(async () => {
    const wheels = Array.from({ length: PACKAGES }, (_, index) => ({ name: `p${index}`, version: '1.0' }));
    machine = await startToyMachine({ wheels });
    if (!machine.hasUv) throw new Error('uv could not be had: nothing can be compared');
    work = await workplace();
    const requirements = wheels.map(({ name }) => name);
    recipe = await machine.recipe(work.path('recipes'), { name: 'toy', packages: ['toy-python'], requirements });
    const built = await command('build', recipe);
    if (built.status !== 0) throw new Error(built.stderr);
    await command('run', 'toy', '-c', 'pass');
  });
  afterAll(async () => {
    await machine[Symbol.asyncDispose]();
    await work[Symbol.asyncDispose]();
    console.log(['', '| what | measured | goal | medians |', '| --- | --- | --- | --- |', ...rows, ''].join('\n'));
  });

  function command(...words: readonly string[]): Promise<Ended> {
    return rootcellar([...words, '-q'], { home: work.path('store'), environment: machine.environment });
  }

  it('with nothing new, against uv alone', async () => {
    const words = [
      'pip',
      'compile',
      '-q',
      '--index-url',
      machine.index.url,
      'requirements.txt',
      '-o',
      work.path('out.txt'),
    ];
    const compile = (): Promise<unknown> =>
      run('uv', [...words, '--cache-dir', work.path('uv')], { cwd: recipe, env: machine.environment });
    await compile();
    const ours: number[] = [];
    const theirs: number[] = [];
    for (let turn = 0; turn < TURNS; turn += 1) {
      ours.push(
        await timed(async () => {
          expect(await command('refresh', recipe)).toMatchObject({ status: 0, stdout: 'toy: nothing new\n' });
        }),
      );
      theirs.push(await timed(compile));
    }
    const [a, b] = [median(ours), median(theirs)];
    const medians = `${formatDuration(a)} : ${formatDuration(b)}`;
    rows.push(
      `| refresh with nothing new : uv pip compile, 100 packages | ${(a / b).toFixed(2)} | ≤ 1.5 | ${medians} |`,
    );
  });

  it('with one changed wheel of a hundred', async () => {
    const times: number[] = [];
    for (let turn = 0; turn < TURNS; turn += 1) {
      machine.index.publish([{ name: 'p7', version: `2.${turn}` }]);
      times.push(
        await timed(async () => {
          expect(await command('refresh', recipe)).toMatchObject({ status: 0 });
        }),
      );
      expect(readFileSync(join(recipe, 'recipe.lock.json'), 'utf8')).toContain(`p7-2.${turn}`);
    }
    rows.push(`| refresh with one changed wheel of 100, to the switch | ${formatDuration(median(times))} | ≤ 3 s | |`);
  });
});
