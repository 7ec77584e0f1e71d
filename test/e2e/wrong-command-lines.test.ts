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

describe('a value that is empty', () => {
  it.each([
    'build R -o',
    'build R --container',
    'build R --vendor',
    'build R --arch',
    'vendor R -o',
    'schedule install R --output-dir',
    'schedule install --kubernetes R -o',
    'schedule show --kubernetes R --image',
    'schedule show --kubernetes R --recipe-path',
    'refresh R --report',
    'run toy -c 1 --report',
    'run toy -c 1 --env',
    'export toy -o',
    'import c.yaml -o',
    'serve --config',
    'load x.tar --name',
    'build',
    'schedule remove',
    'serve',
  ])('of %s', (line) => {
    const words = line.split(' ').map((word) => (word === 'R' ? recipe : word));
    return expectUsage([...words, ''], 'is empty');
  });

  it('is no fault of a program, and one object with --json', async () => {
    expect((await command('run', 'nothing', '-c', '')).stderr).toContain('E_IMAGE_NOT_FOUND');
    expect((await command('run', 'nothing', '-e', 'NAME=', '--', 'x.py', '')).stderr).toContain('E_PROGRAM_NOT_FOUND');
    const { status, stdout, stderr } = await command('build', recipe, '--json', '-o', '');
    expect({ status, stderr }).toEqual({ status: 2, stderr: '' });
    expect(JSON.parse(stdout)).toMatchObject({ event: 'error', problems: [{ code: 'E_USAGE' }] });
  });
});

describe('flags that exclude each other, or say nothing', () => {
  it.each([
    ['build R -q -v', '-q and -v: cannot be had together'],
    ['lock R --check --upgrade', '--check and --upgrade: cannot be had together'],
    ['lock R --check --upgrade-package x', '--check and --upgrade-package: cannot be had together'],
    ['refresh R --every 1h --upgrade-package app', '--upgrade-package: is for one refresh'],
    ['refresh R --cron @daily --check', '--check: is for one refresh'],
    ['refresh R --scheduled --report x.md', '--report: is for one refresh'],
    ['serve R --minimum-tier C', '--minimum-tier: is for the image that is made of --config'],
    ['serve R --requirements file', '--requirements: is for the image that is made of --config'],
    ['serve R --config ../c.yaml --requirements file', '--requirements: is for the image that is made of --config'],
    ['serve --requirements file', '--requirements: needs --config'],
  ])('%s', (line, text) => {
    return expectUsage(
      line.split(' ').map((word) => (word === 'R' ? recipe : word)),
      text,
    );
  });

  it('--jitter says something without a schedule, too', async () => {
    expect((await command('refresh', recipe, '--jitter', '1ms', '--check')).stderr).not.toContain('E_USAGE');
  });

  it.each([
    ['none.txt', 'does not exist'],
    ['.', 'is not a regular file'],
  ])('serve --requirements %s, before anything is built', async (path, text) => {
    await work.write({ 'c.yaml': 'app: { port: 0 }\n' });
    const { status, stdout, stderr } = await command('serve', '--config', '../c.yaml', '--requirements', path);
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toMatch(/^error\[E_CONFIG_VALUE\] the file .*\n {2}hint: /m);
    expect(stderr).toContain(text);
  });
});
