import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CANNOT_SANDBOX } from '../native/toy-cell.ts';
import { rootcellar, workplace, type Workplace } from '../support/command.ts';
import { served, type Served } from '../support/served.ts';
import type { ToyDeb } from '../support/toy-archive.ts';
import { skipWithout } from '../support/skip-without.ts';
import { startToyMachine, type ToyMachine } from '../support/toy-machine.ts';

const KEY = 'key-of-these-tests';
let machine: ToyMachine;
let work: Workplace;
const patience = { timeout: 60_000, interval: 100 };

function app(version: number): ToyDeb {
  return { name: 'app', version: `1.${version}`, files: { 'usr/share/app': `${version}` } };
}

beforeAll(async () => {
  machine = await startToyMachine({
    debs: [app(0), { name: 'other', version: '7' }],
    wheels: [
      { name: 'moving', version: '1.0', files: { 'moving.py': 'version = "1.0"\n' } },
      { name: 'added', version: '2.0', files: { 'added.py': '' } },
    ],
  });
  work = await workplace();
});
afterAll(async () => {
  await machine[Symbol.asyncDispose]();
  await work[Symbol.asyncDispose]();
});

interface Serving extends AsyncDisposable {
  readonly process: Served;
  readonly folder: string;
  readonly run: (code: string) => Promise<string>;
  readonly text: (path: string, init?: RequestInit) => Promise<string>;
  readonly status: () => Promise<ReturnType<typeof Object>>;
}

/** A recipe that is served, with dify-sandbox's interval where it says nothing of one. */
async function serving(name: string, more: string, interval = '24h'): Promise<Serving> {
  const recipe = { name, packages: ['app', 'toy-python'], requirements: ['moving'], more };
  const folder = await machine.recipe(work.path('recipes'), recipe);
  const options = { home: work.path('store'), environment: machine.environment };
  const built = await rootcellar(['build', folder], options);
  if (built.status !== 0) throw new Error(built.stderr);
  const config = join(folder, 'config.yaml');
  writeFileSync(config, `app: { key: ${KEY} }\npython_deps_update_interval: ${interval}\n`);
  const process = served([folder, '--config', config, '--listen', '127.0.0.1:0'], {
    ...options,
    cwd: folder,
  });
  const url = await process.url();
  const text = async (path: string, init: RequestInit = {}): Promise<string> => {
    const type = init.body === undefined ? {} : { 'content-type': 'application/json' };
    const headers = { 'x-api-key': KEY, ...type };
    return (await fetch(`${url}${path}`, { ...init, headers })).text();
  };
  const status = async (): Promise<ReturnType<typeof Object>> => Object(JSON.parse(await text('/v1/status')));
  // The first look is over: what is edited from now on is an edit.
  await expect.poll(async () => (await status()).refreshes, patience).toMatchObject([{ image: name }]);
  const run = async (code: string): Promise<string> => {
    const answer = Object(JSON.parse(await text('/v1/run', { method: 'POST', body: JSON.stringify({ code }) })));
    return String(answer.report?.stdout);
  };
  return { process, folder, run, text, status, [Symbol.asyncDispose]: () => process[Symbol.asyncDispose]() };
}

const APP = 'print(open("/usr/share/app").read())';

describe.skipIf(CANNOT_SANDBOX)('rootcellar serve RECIPE', () => {
  it('takes what is new by the interval, while runs go on', async () => {
    await using own = await serving('timed', '', '1s');
    expect(await own.run(APP)).toBe('0\n');
    await machine.publishDebs([app(1), { name: 'other', version: '7' }]);
    const seen = new Set<string>();
    const ran = async (): Promise<string> => {
      const text = await own.run(APP);
      seen.add(text);
      return text;
    };
    await expect.poll(ran, patience).toBe('1\n');
    expect(['0\n', '1\n']).toEqual(expect.arrayContaining([...seen]));
    expect(await own.status()).toMatchObject({
      problem: null,
      refreshes: [{ image: 'timed', next_at: expect.any(String) }],
    });
    expect(own.process.stdout()).toMatch(/"event":"refresh","image":"timed","result":"switched"/);
    own.process.kill('SIGTERM');
    expect(await own.process.ended).toBe(0);
  });

  it('takes edits within seconds, and goes on without one that is broken', async () => {
    await using own = await serving('edited', 'refresh: off\n');
    expect((await own.status()).refreshes).toMatchObject([{ image: 'edited', next_at: null }]);
    const file = join(own.folder, 'recipe.yaml');
    const [text, generation] = [readFileSync(file, 'utf8'), async () => (await own.status()).images[0].generation];
    writeFileSync(`${file}.new`, text.replace('app, toy-python', 'app, other, toy-python'));
    renameSync(`${file}.new`, file);
    await expect.poll(generation, patience).toBe(2);
    writeFileSync(file, `${text}nothing: of this\n`);
    await expect.poll(async () => (await own.status()).problem, patience).toContain('`nothing`');
    expect(await own.run('print(1)')).toBe('1\n');
    expect((await own.status()).refreshes).toMatchObject([{ last: { result: 'failed' } }]);
    expect(await own.text('/metrics')).toMatch(/^rootcellar_refreshes_total\{result="failed"\} 1$/m);
    // The schedule is read with the rest.
    writeFileSync(file, text.replace('refresh: off', 'refresh: { every: 30d }'));
    await expect.poll(generation, patience).toBe(3);
    await expect
      .poll(async () => (await own.status()).refreshes, patience)
      .toMatchObject([{ last: { result: 'switched' }, next_at: expect.stringMatching(/^20/) }]);
    expect((await own.status()).problem).toBeNull();
  });

  it('stays rolled back when it looks again, and when it starts again', async () => {
    await using own = await serving('back', '');
    const before = await own.run(APP);
    await machine.publishDebs([app(500), { name: 'other', version: '7' }]);
    const update = (): Promise<string> =>
      own.text('/v1/sandbox/dependencies/update', { method: 'POST', body: '{"language":"python3"}' });
    await update();
    expect(await own.run(APP)).toBe('500\n');
    const options = { home: work.path('store'), environment: machine.environment };
    expect((await rootcellar(['rollback', 'back'], options)).status).toBe(0);
    await expect.poll(() => own.run(APP), patience).toBe(before);
    await update();
    expect(await own.run(APP)).toBe(before);
    own.process.kill('SIGTERM');
    await own.process.ended;
    await using again = served([own.folder, '--config', join(own.folder, 'config.yaml'), '--listen', '127.0.0.1:0'], {
      ...options,
      cwd: own.folder,
    });
    await again.url();
    await expect.poll(() => again.stdout() + again.stderr(), patience).toMatch(/generation \d+, .* is served/);
    const { stdout } = await rootcellar(['images', 'back', '--generations', '--json', '-q'], options);
    const generations: readonly { readonly generation: number; readonly current: boolean }[] =
      JSON.parse(stdout).generations;
    expect(generations.map(({ generation, current }) => `${generation}${current ? ' current' : ''}`)).toEqual([
      '2',
      '1 current',
    ]);
  });

  it('tries requirements out before it takes them, and keeps what serves where they are worse', async (test) => {
    if (skipWithout('uv', machine.hasUv)) return test.skip();
    await using own = await serving('tried', '');
    const dependencies = (): Promise<string> => own.text('/v1/sandbox/dependencies/refresh?language=python3');
    const update = (): Promise<string> =>
      own.text('/v1/sandbox/dependencies/update', { method: 'POST', body: '{"language":"python3"}' });
    writeFileSync(join(own.folder, 'requirements.txt'), 'moving\nadded\n');
    await expect.poll(() => own.run('import added; print(1)'), patience).toBe('1\n');
    machine.index.publish([{ name: 'moving', version: '1.1', files: { 'moving.py': 'raise ImportError("no")\n' } }]);
    expect(JSON.parse(await update())).toMatchObject({
      code: -500,
      message: expect.stringMatching(/moving.*ImportError/),
    });
    expect(await dependencies()).toBe('{"code":0,"message":"success","data":{"dependencies":null}}');
    expect(await own.status()).toMatchObject({
      problem: expect.stringMatching(/what is new was not taken.*moving/),
      refreshes: [{ last: { result: 'kept' } }],
    });
    expect(await own.run('import moving; print(moving.version)')).toBe('1.0\n');
    machine.index.publish([{ name: 'moving', version: '1.2', files: { 'moving.py': 'version = "1.2"\n' } }]);
    expect(await update()).toBe('{"code":0,"message":"success","data":{}}');
    expect(await dependencies()).toContain('{"name":"moving","version":"1.2"}');
    expect(await own.run('import moving; print(moving.version)')).toBe('1.2\n');
    expect(own.process.stdout()).not.toContain(KEY);
  });
});
