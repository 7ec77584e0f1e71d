import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rootcellar, workplace, type Ended, type Workplace } from '../support/command.ts';
import { startToyMachine, type ToyMachine } from '../support/toy-machine.ts';

let machine: ToyMachine;
let work: Workplace;
let recipe: string;

beforeAll(async () => {
  machine = await startToyMachine({ debs: [{ name: 'app', version: '1' }] });
  work = await workplace();
  await work.write({ 'in/file': 'mine' });
  recipe = await machine.recipe(work.path('.'), { name: 'toy', packages: ['app'] });
  const locked = await command('lock', recipe);
  if (locked.status !== 0) throw new Error(locked.stderr);
});
afterAll(async () => {
  await machine[Symbol.asyncDispose]();
  await work[Symbol.asyncDispose]();
});

function command(...words: readonly string[]): Promise<Ended> {
  return rootcellar(words, { home: work.path('store'), environment: machine.environment, cwd: work.path('in') });
}

/** One error of whoever typed, before any work. */
async function expectUsage(words: readonly string[], text: string): Promise<void> {
  const ended = await command(...words);
  expect(ended, `${words.join(' ')}\n${ended.stderr}`).toMatchObject({ status: 2, stdout: '' });
  expect(ended.stderr).toMatch(/^error\[E_USAGE\] .*\n {2}hint: \S.*\n$/);
  expect(ended.stderr).toContain(text);
  expect(readdirSync(work.path('in'))).toEqual(['file']);
}

const LONG = 'n'.repeat(300);

describe('a path where nothing can be', () => {
  it.each([
    ['-o', 'file/x.tar', 'its folder is a file'],
    ['-o', 'none/x.tar', 'its folder does not exist'],
    ['-o', LONG, 'is too long a name'],
    ['--container', 'file/x.tar', 'its folder is a file'],
    ['--container', LONG, 'is too long a name'],
    ['--vendor', 'file/x', 'is no folder'],
    ['--vendor', LONG, 'is too long a name'],
  ])('build %s %s', (flag, path, text) => expectUsage(['build', recipe, flag, path], text));

  it.each([
    ['file/x', 'its folder is a file'],
    [LONG, 'is too long a name'],
  ])('vendor -o %s', (path, text) => expectUsage(['vendor', recipe, '-o', path], text));

  it('is one that two tars would share', () =>
    expectUsage(['build', recipe, '-o', 'same.tar', '--container', '../in/same.tar'], 'both are'));
});
