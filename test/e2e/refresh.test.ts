import { execFileSync } from 'node:child_process';
import { lstatSync, readFileSync } from 'node:fs';
import { appendFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { CANNOT_SANDBOX } from '../native/toy-cell.ts';
import { rootcellar, sharedHome, workplace, type Workplace } from '../support/command.ts';
import { startToyIndex, type ToyIndex } from '../support/toy-index.ts';
import { startToyMachine, type ToyMachine } from '../support/toy-machine.ts';

let machine: ToyMachine;
let index: ToyIndex;
let work: Workplace;
let recipe: string;
/** Another one for each test: the store is that of all of them, so that packages are unpacked once. */
let name = '';
const numbers = { next: 1 };

beforeAll(async () => {
  machine = await startToyMachine({});
});
afterAll(async () => {
  await machine[Symbol.asyncDispose]();
});
beforeEach(async () => {
  index = await startToyIndex({
    wheels: [
      { name: 'steady', version: '1.0' },
      { name: 'moving', version: '1.0', files: { 'moving.py': 'version = "1.0"\n' } },
      // Its modules were never whole: no update is blamed for that.
      { name: 'lame', version: '1.0', files: { 'lame.py': 'import nothing_of_this_name\n' } },
    ],
  });
  work = await workplace();
  name = `refreshed${numbers.next}`;
  numbers.next += 1;
  recipe = work.path('recipe');
  await mkdir(recipe);
  await writeFile(join(recipe, 'recipe.yaml'), recipeText(name));
  await writeFile(join(recipe, 'requirements.txt'), 'steady\nmoving\nlame\n');
  const built = await command('build', recipe);
  if (built.status !== 0) throw new Error(built.stderr);
});
afterEach(async () => {
  await index[Symbol.asyncDispose]();
  await work[Symbol.asyncDispose]();
});

/** With a toy interpreter, which needs uv, or else Debian's, which is slower. */
function recipeText(own: string): string {
  const base = machine.hasUv
    ? '{ suite: toysuite, packages: [toy-python] }'
    : '{ suite: trixie, packages: [python3-minimal] }';
  return `name: ${own}
architectures: [${process.arch === 'x64' ? 'amd64' : 'arm64'}]
base: { debian: ${base} }
python: { requirements: requirements.txt, index_url: "${index.url}" }
trim: [docs, locale, man]
`;
}

function command(...words: readonly string[]): ReturnType<typeof rootcellar> {
  return rootcellar(words, machine.hasUv ? { environment: machine.environment } : {});
}

async function served(): Promise<string> {
  const { stdout, stderr } = await command('run', name, '-q', '-c', 'import moving; print(moving.version)');
  return stdout.trim() || stderr;
}

function lockfile(): string {
  return readFileSync(join(recipe, 'recipe.lock.json'), 'utf8');
}

function release(version: string, code: string, requires: readonly string[] = []): void {
  index.publish([{ name: 'moving', version, requires, files: { 'moving.py': code } }]);
}

async function generations(): Promise<readonly string[]> {
  const { stdout } = await command('images', name, '--generations', '--json', '-q');
  const listed: readonly { generation: number; current: boolean }[] = JSON.parse(stdout).generations;
  return listed.map(({ generation, current }) => `${generation}${current ? ' current' : ''}`);
}

describe.skipIf(CANNOT_SANDBOX)('rootcellar refresh', () => {
  it('says in one line that nothing is new, and leaves everything', async () => {
    const before = lockfile();
    const report = work.path('deep/report.md');
    const told = await command('refresh', recipe, '-q', '--report', report);
    expect(told).toMatchObject({ status: 0, stdout: `${name}: nothing new\n` });
    expect(readFileSync(report, 'utf8')).toBe(`# ${name}: nothing new\n`);
    expect(await command('refresh', recipe, '-q', '--check')).toMatchObject({
      status: 0,
      stdout: `${name}: nothing new\n`,
    });
    expect([lockfile(), await generations()]).toEqual([before, ['1 current']]);
  });

  it('tells what is new without taking it, then takes it, and goes back', async () => {
    release('1.1', 'version = "1.1"\n', ['added>=2']);
    index.publish([{ name: 'added', version: '2.3' }]);
    const before = lockfile();
    const report = work.path('report.md');
    const told = await command('refresh', recipe, '--check', '--report', report, '-q');
    expect(told.status).toBe(10);
    expect(told.stdout).toMatch(
      /^refreshed\d+: there are updates\n {2}\w+ added 2\.3 \(added\)\n {2}\w+ moving 1\.0 → 1\.1 \(upgraded, minor\)\n$/,
    );
    expect(readFileSync(report, 'utf8')).toContain('| moving | wheel | upgraded | 1.0 | 1.1 | minor |');
    expect([lockfile(), await served()]).toEqual([before, '1.0']);
    const json = work.path('report.json');
    const taken = await command('refresh', recipe, '--report', json, '-q');
    expect(taken).toMatchObject({ status: 0, stdout: expect.stringContaining('generation 2 is current') });
    expect(JSON.parse(readFileSync(json, 'utf8'))).toMatchObject({
      name,
      architectures: [
        {
          changes: [
            { name: 'added', step: null },
            { name: 'moving', before: '1.0', after: '1.1', step: 'minor' },
          ],
        },
      ],
    });
    expect([await served(), await generations()]).toEqual(['1.1', ['2 current', '1']]);
    // The lockfile is what a build of it gives, without one more generation.
    expect(await command('build', recipe, '--locked', '-q')).toMatchObject({ status: 0 });
    expect(await generations()).toEqual(['2 current', '1']);
    expect(await command('rollback', name)).toMatchObject({ status: 0 });
    expect(await served()).toBe('1.0');
  });

  it.each([
    [
      'does not import',
      'raise RuntimeError("broken release")\n',
      /`import moving` of moving: RuntimeError: broken release/,
    ],
    ['ends the program', 'import os\nos._exit(0)\n', /importing moving: ended the program \(ok\)/],
    // On a busy machine the limit of time may come first.
    ['never ends', 'while True: pass\n', /importing moving: ended the program \((?:cpu_limit|timeout)\)/],
    ['takes all memory', 'x = bytearray(2 ** 31)\nx = x + x\n', /moving: ended the program \(oom\)/],
    ['looks around', 'import os\nopen("/etc/shadow", "a")\n', /moving: /],
  ])('keeps what serves where a release %s, and names it', async (_, code, fault) => {
    release('1.1', code);
    const before = lockfile();
    const kept = await command('refresh', recipe, '--json', '-q');
    expect(kept.status).toBe(11);
    const { refresh } = JSON.parse(kept.stdout);
    expect(refresh).toMatchObject({
      result: 'kept',
      faults: [{ package: 'moving', message: expect.stringMatching(fault) }],
    });
    expect([lockfile(), await served(), await generations()]).toEqual([before, '1.0', ['1 current']]);
    // A better one is taken.
    release('1.2', 'version = "1.2"\n');
    expect((await command('refresh', recipe, '-q')).status).toBe(0);
    expect(await served()).toBe('1.2');
  });

  it('names the packages whose updates do it, by trying them apart', async () => {
    // It shows in `steady`, which is as it was before: `moving` has taken away what it needs.
    index.publish([
      { name: 'steady', version: '1.1', files: { 'steady.py': 'import moving\nmoving.version\n' } },
      { name: 'lame', version: '1.1', files: { 'lame.py': '' } },
    ]);
    release('1.1', 'other = 1\n');
    index.publish([{ name: 'extra', version: '1.0' }]);
    const kept = await command('refresh', recipe, '-q');
    expect(kept.status).toBe(11);
    expect(kept.stdout).toContain('because of the update of moving and steady\n');
    expect(kept.stdout).toContain('`import steady` of steady: AttributeError');
    const history = await command('history', name, '--json', '-q');
    expect(JSON.parse(history.stdout).history.refreshes).toMatchObject([
      { number: 1, result: 'kept', culprits: [['moving', 'steady']], generations: [] },
    ]);
    expect((await command('refresh', recipe, '-q', '--upgrade-package', 'lame')).status).toBe(0);
    expect(await served()).toBe('1.0');
  });

  it('must pass the smoke test, in the cell of any run', async () => {
    await appendFile(join(recipe, 'recipe.yaml'), 'refresh: { smoke_test: smoke.py }\n');
    await writeFile(join(recipe, 'smoke.py'), 'import moving\nassert moving.version < "1.2", "too new"\n');
    release('1.1', 'version = "1.1"\n');
    expect((await command('refresh', recipe, '-q')).status).toBe(0);
    release('1.2', 'version = "1.2"\n');
    const kept = await command('refresh', recipe, '-q');
    expect(kept.status).toBe(11);
    expect(kept.stdout).toContain('smoke.py ended with status 1: AssertionError: too new\n');
    expect(kept.stdout).toContain('because of the update of moving\n');
    await writeFile(join(recipe, 'smoke.py'), 'open("/smoke", "w")\n');
    expect((await command('refresh', recipe, '-q')).stdout).toContain('Read-only file system');
    expect(await served()).toBe('1.1');
    const { stdout } = await command('history', name, '-q');
    expect(stdout.split('\n').map((line) => line.split(/ {2,}/).slice(3).join(' '))).toEqual([
      'RESULT',
      'kept because of moving',
      'kept because of moving',
      expect.stringMatching(/^switched \w+ generation 2$/),
      '',
    ]);
    const one = await command('history', name, '2', '-q');
    expect(one.stdout).toContain('refresh 2: kept');
    expect(one.stdout).toContain('| pack: ');
    expect((await command('history', name, '9')).status).toBe(2);
    for (const word of ['nothing', 'x'.repeat(300), `../refreshes/${name}`]) {
      expect((await command('history', word)).stderr).toContain('error[E_IMAGE_NOT_FOUND]');
    }
    const damaged = join(sharedHome(), 'refreshes', name, '1.json');
    await writeFile(damaged, '{');
    const others = await command('history', name);
    expect(others).toMatchObject({ status: 0, stderr: expect.stringContaining(`\`${damaged}\`: what it tells`) });
    expect(others.stdout.split('\n').map((line) => line.split(' ')[0])).toEqual(['NUMBER', '3', '2', '']);
    expect((await command('history', name, '1')).stderr).toContain('error[E_STORE_INVALID]');
  });

  it('keeps as many generations as the recipe says', async () => {
    await appendFile(join(recipe, 'recipe.yaml'), 'refresh: { keep: 2 }\n');
    const goes = ['1.1', '1.2', '1.3'];
    for (const version of goes) {
      release(version, `version = "${version}"\n`);
      expect((await command('refresh', recipe, '-q')).status).toBe(0);
    }
    expect(await generations()).toEqual(['4 current', '3']);
    await command('remove', name);
    expect((await command('history', name)).stderr).toContain('error[E_IMAGE_NOT_FOUND]');
  });

  it('follows an edit of the recipe, and a lockfile that came from elsewhere', async () => {
    await writeFile(join(recipe, 'requirements.txt'), 'steady\nmoving\n');
    const edited = await command('refresh', recipe, '-q');
    expect(edited.stdout).toMatch(/generation 2 is current\n {2}\w+ lame 1\.0 \(removed\)\n$/);
    await appendFile(join(recipe, 'recipe.yaml'), 'sandbox: { limits: { processes: 7 } }\n');
    expect((await command('refresh', recipe, '-q')).stdout).toMatch(/generation 3 is current\n$/);
    const [before] = [lockfile()];
    release('1.1', 'version = "1.1"\n');
    expect((await command('lock', recipe, '--upgrade', '-q')).status).toBe(0);
    expect(lockfile()).not.toBe(before);
    expect((await command('refresh', recipe, '-q')).stdout).toMatch(/generation 4 is current\n$/);
    expect(await served()).toBe('1.1');
    // What was rolled back stays so until there is something new.
    await command('rollback', name);
    expect((await command('refresh', recipe, '-q')).stdout).toBe(`${name}: nothing new\n`);
    expect(await served()).toBe('1.0');
  });

  it('takes what each program can import, though nothing could import all of it at once', async () => {
    const code = 'kept = bytearray(b"x") * (150 * 2 ** 20)\nversion = "1.1"\n';
    release('1.1', code);
    index.publish([{ name: 'steady', version: '1.1', files: { 'steady.py': code } }]);
    expect(await command('refresh', recipe, '-q')).toMatchObject({ status: 0 });
    expect(await served()).toBe('1.1');
  });

  it('tries with the network that the image has', async () => {
    // There is one where the network is the host's.
    const code = 'open("/etc/resolv.conf").close()\nversion = "1.1"\n';
    release('1.1', code);
    expect((await command('refresh', recipe, '-q')).status).toBe(11);
    await appendFile(join(recipe, 'recipe.yaml'), 'sandbox: { network: host }\n');
    expect(await command('lock', recipe, '-q')).toMatchObject({ status: 0 });
    expect(await command('build', recipe, '-q')).toMatchObject({ status: 0 });
    expect(await command('refresh', recipe, '-q')).toMatchObject({ status: 0 });
    expect(await served()).toBe('1.1');
  });

  it('takes one package alone', async () => {
    release('1.1', 'version = "1.1"\n');
    index.publish([{ name: 'steady', version: '2.0' }]);
    const { stdout, status } = await command('refresh', recipe, '--upgrade-package', 'steady', '-q');
    expect([status, stdout]).toEqual([0, expect.stringContaining('steady 1.0 → 2.0 (upgraded, major)')]);
    expect(await served()).toBe('1.0');
  });

  it.each<readonly [what: string, path: () => string, code: string, flags: readonly string[]]>([
    ['no lockfile', () => work.path('other'), 'E_LOCK_MISSING', []],
    ['no recipe', () => work.path('nowhere'), 'E_RECIPE', []],
    ['no such package', () => recipe, 'E_USAGE', ['--upgrade-package', 'mooving']],
    ['no place for the report', () => recipe, 'E_USAGE', ['--report', '/proc/self/report.md']],
  ])('refuses where there is %s', async (_, path, code, flags) => {
    await mkdir(work.path('other'));
    await writeFile(work.path('other/recipe.yaml'), recipeText('other'));
    await writeFile(work.path('other/requirements.txt'), 'steady\n');
    const ended = await command('refresh', path(), '-q', ...flags);
    expect(ended.status).toBe(code === 'E_USAGE' ? 2 : 1);
    expect(ended.stderr.match(/^error\[.*\n {2}hint: /gm)).toHaveLength(1);
    expect(ended.stderr).toContain(`error[${code}`);
    // Nothing was tried.
    const { stdout } = await command('history', name, '-q');
    expect(stdout.includes('failed') && code === 'E_USAGE').toBe(false);
  });

  it.each(['mknod NAME c 1 7', 'mkfifo NAME', 'ln -s elsewhere NAME'])(
    'takes no name from what `%s` made',
    async (make) => {
      release('1.1', 'version = "1.1"\n');
      const taken = work.path('taken');
      execFileSync('sh', ['-c', make.replace('NAME', '"$1"'), 'sh', taken]);
      const before = lstatSync(taken);
      const ended = await command('refresh', recipe, '-q', '--report', taken);
      expect([ended.status, ended.stderr]).toEqual([
        2,
        expect.stringMatching(/^error\[E_USAGE] `.*`: is (no reg|a symb)/s),
      ]);
      expect(lstatSync(taken)).toMatchObject({ ino: before.ino, mode: before.mode });
      // Before any work.
      expect(await served()).toBe('1.0');
    },
  );

  it('keeps what serves where the index does not answer', async () => {
    release('1.1', 'version = "1.1"\n');
    await index.close();
    const ended = await command('refresh', recipe, '-q');
    expect(ended.status).toBe(1);
    expect(await served()).toBe('1.0');
    expect(await generations()).toEqual(['1 current']);
  });
});
