import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, statSync, symlinkSync } from 'node:fs';
import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  COMMAND,
  copyRecipe,
  namesBelow,
  pythonImage,
  rootcellar,
  sharedHome,
  workplace,
  type CommandOptions,
  type Ended,
  type Workplace,
} from '../support/command.ts';
import { startToyIndex, type ToyIndex } from '../support/toy-index.ts';

/** Exactly one error, with its code and a hint, and nothing that looks like a bug of ours. */
function expectOneError(ended: Ended, code: string, ...texts: readonly string[]): void {
  expect(ended.stderr.match(/^error\[/gm) ?? [], ended.stderr).toHaveLength(1);
  expect(ended.stderr).toContain(`error[${code}]`);
  expect(ended.stderr).toMatch(/^ {2}hint: \S/m);
  expect(ended.stderr).not.toContain('this is a bug');
  for (const text of texts) expect(ended.stderr).toContain(text);
}

/** A recipe of Debian's Python with requirements from `index`. */
async function recipeWith(work: Workplace, requirements: string, index: ToyIndex): Promise<string> {
  await work.write({
    'recipe/recipe.yaml': `name: toy\nbase: { debian: { suite: trixie, packages: [python3] } }\npython: { requirements: r.txt, index_url: "${index.url}" }\n`,
    'recipe/r.txt': requirements,
  });
  return work.path('recipe');
}

/** Nothing half-made: no lockfile, no temporary file of a dead process. */
async function expectClean(recipe: string, home: string): Promise<void> {
  expect((await namesBelow(recipe)).filter((name) => name.includes('lock') || name.includes('tmp'))).toEqual([]);
  expect(await namesBelow(join(home, 'tmp'))).toEqual([]);
}

describe('promise 9: bad input gets one clear error', () => {
  let index: ToyIndex;

  beforeAll(async () => {
    await pythonImage();
    index = await startToyIndex({
      wheels: [
        { name: 'good', version: '1.0' },
        { name: 'good', version: '2.0' },
        { name: 'wants-old', version: '1.0', requires: ['good<2'] },
        { name: 'wants-new', version: '1.0', requires: ['good>=2'] },
        { name: 'other-machine', version: '1.0', tag: 'cp313-cp313-win_amd64' },
        { name: 'escaping', version: '1.0', files: { '../../../../../etc/evil': 'x' } },
        { name: 'altered', version: '1.0' },
        { name: 'short', version: '1.0' },
      ],
      sdists: ['only-source-1.0.tar.gz'],
    });
  });

  afterAll(() => index.close());

  it('an unknown key of a recipe, with what was meant', async () => {
    await using work = await workplace();
    await work.write({
      'r/recipe.yaml':
        'name: x\nbase:\n  debian:\n    suite: trixie\n    pakages: [python3]\n    packages: [python3]\n',
    });
    const ended = await rootcellar(['build', work.path('r')]);
    expectOneError(ended, 'E_RECIPE_KEY', 'recipe.yaml:5:5', 'pakages', '`packages`');
    expect(ended.status).toBe(1);
  });

  it('all faults of a recipe come together', async () => {
    await using work = await workplace();
    await work.write({
      'r/recipe.yaml': 'name: X!\nbase: { debian: { suite: 7, packages: [] } }\nsandbox: { limits: { memory: 5 } }\n',
    });
    const ended = await rootcellar(['build', work.path('r')]);
    expect(ended.stderr.match(/^error\[/gm)).toHaveLength(4);
  });

  it.each([
    ['a requirement that does not exist', 'no-such-thing\n', 'E_REQUIREMENT_UNKNOWN', 'no-such-thing'],
    ['a version that does not exist', 'good==9\n', 'E_REQUIREMENT_UNKNOWN', 'good'],
    ['requirements that contradict each other', 'wants-old\nwants-new\n', 'E_REQUIREMENT_CONFLICT', 'good'],
    ['a wheel for another machine only', 'other-machine\n', 'E_REQUIREMENT_NO_WHEEL', 'other-machine'],
    ['a source distribution only', 'only-source\n', 'E_REQUIREMENT_NO_WHEEL', 'only-source'],
    ['a line that is no requirement', 'good\n???\n', 'E_REQUIREMENT_SYNTAX', 'r.txt:2:1'],
  ])('%s', async (_, requirements, code, text) => {
    await using work = await workplace();
    const recipe = await recipeWith(work, requirements, index);
    const ended = await rootcellar(['lock', recipe]);
    expectOneError(ended, code, text);
    expect(ended.status).toBe(1);
    await expectClean(recipe, sharedHome());
  });

  it('a Debian package that does not exist', async () => {
    await using work = await workplace();
    await work.write({ 'r/recipe.yaml': 'name: x\nbase: { debian: { suite: trixie, packages: [pyhton3] } }\n' });
    expectOneError(await rootcellar(['lock', work.path('r')]), 'E_DEB_UNKNOWN', '`pyhton3`', '`python3`');
    await expectClean(work.path('r'), sharedHome());
  });

  it('a wheel that leaves its folder', async () => {
    await using work = await workplace();
    const recipe = await recipeWith(work, 'escaping\n', index);
    expectOneError(
      await rootcellar(['build', recipe, '-o', work.path('x.tar')]),
      'E_ARTIFACT_INVALID',
      'escaping',
      '../',
    );
    expect(await namesBelow(work.folder)).not.toContain('x.tar');
  });

  it('bytes that do not match their digest', async () => {
    await using work = await workplace();
    const recipe = await recipeWith(work, 'altered\n', index);
    expect((await rootcellar(['lock', recipe])).status).toBe(0);
    index.server.faults.set('/files/altered-1.0-py3-none-any.whl', { kind: 'alter' });
    expectOneError(await rootcellar(['build', recipe]), 'E_DIGEST_MISMATCH', 'altered-1.0-py3-none-any.whl');
  });

  it('a download that ends too early, and goes on where it ended once that is mended', async () => {
    await using work = await workplace();
    const recipe = await recipeWith(work, 'short\n', index);
    expect((await rootcellar(['lock', recipe])).status).toBe(0);
    index.server.faults.set('/files/short-1.0-py3-none-any.whl', { kind: 'truncate' });
    expectOneError(await rootcellar(['build', recipe]), 'E_DOWNLOAD', 'short');
    index.server.faults.clear();
    expect((await rootcellar(['build', recipe])).status).toBe(0);
  });

  it('a full disk', async () => {
    await using work = await workplace();
    const recipe = await copyRecipe('python', work.path('recipe'));
    await cp(join(sharedHome(), '../python/recipe.lock.json'), work.path('recipe/recipe.lock.json'));
    mkdirSync(work.path('small'));
    const small = [
      'unshare',
      '--mount',
      'sh',
      '-c',
      `mount -t tmpfs -o size=8m none "${work.path('small')}" && exec "$@"`,
      'sh',
    ];
    expectOneError(
      await rootcellar(['build', recipe], { home: work.path('small/store'), through: small }),
      'E_DISK_FULL',
    );
    const output = [
      'unshare',
      '--mount',
      'sh',
      '-c',
      `mount -t tmpfs -o size=8m none "${work.path('small')}" && "$@"; status=$?; ls -A "${work.path('small')}"; exit $status`,
      'sh',
    ];
    const written = await rootcellar(['build', recipe, '-o', work.path('small/x.tar')], { through: output });
    expectOneError(written, 'E_DISK_FULL');
    expect(written.stdout).toBe('');
  });

  it.each(['SIGINT', 'SIGTERM'] as const)('%s during a build, at any of several moments', async (signal) => {
    await using work = await workplace();
    const recipe = await copyRecipe('python', work.path('recipe'));
    await cp(join(sharedHome(), '../python/recipe.lock.json'), work.path('recipe/recipe.lock.json'));
    const home = work.path('store');
    cpSync(join(sharedHome(), 'artifacts'), join(home, 'artifacts'), { recursive: true });
    const tar = work.path('x.tar');
    for (const step of ['unpack: unpack', 'compile: compile', 'pack: ']) {
      const child = execa(process.execPath, [COMMAND, 'build', '-v', recipe, '-o', tar], {
        env: { ROOTCELLAR_HOME: home },
        reject: false,
        stdin: 'ignore',
      });
      let shown = '';
      let isSent = false;
      child.stderr.on('data', (chunk: Buffer) => {
        shown += chunk.toString();
        if (isSent || !shown.includes(step)) return;
        isSent = child.kill(signal);
      });
      const ended = await child;
      // The last step can be over before the signal arrives: then the build has simply succeeded.
      if (ended.exitCode === 0) continue;
      expect(ended.exitCode).toBe(signal === 'SIGINT' ? 130 : 143);
      expect(ended.stderr).toContain('error[E_CANCELLED]');
      expect(await namesBelow(join(home, 'tmp'))).toEqual([]);
      expect((await namesBelow(work.folder)).filter((name) => name.includes('tar'))).toEqual([]);
    }
    const built = await rootcellar(['build', recipe, '-o', tar], { home });
    expect(built.status).toBe(0);
  });

  it('a store that a newer version wrote', async () => {
    await using work = await workplace();
    await work.write({ 'store/rootcellar-store.json': '{"layout":99}\n' });
    expectOneError(await rootcellar(['images'], { home: work.path('store') }), 'E_STORE_NEWER', '99');
    expect(await namesBelow(work.path('store'))).toEqual(['rootcellar-store.json']);
  });

  it('an image that is not there, with what was meant', async () => {
    const ended = await rootcellar(['run', 'pyhton', '-c', '1']);
    expectOneError(ended, 'E_IMAGE_NOT_FOUND', '`pyhton`', '`python`');
    expect(ended.stdout).toBe('');
  });

  it('a program that is not there', async () => {
    expectOneError(await rootcellar(['run', 'python', '--', '/no/such.py']), 'E_PROGRAM_NOT_FOUND', '/no/such.py');
  });

  it('a root filesystem whose /tmp is a symbolic link', async () => {
    await using work = await workplace();
    mkdirSync(work.path('root/usr/bin'), { recursive: true });
    mkdirSync(work.path('elsewhere'));
    for (const name of ['dev', 'run', 'etc']) mkdirSync(work.path('root', name));
    symlinkSync(work.path('elsewhere'), work.path('root/tmp'));
    await work.write({ 'root/usr/bin/python3': 'x' });
    execFileSync('tar', ['-C', work.path('root'), '-cf', work.path('evil.tar'), '.']);
    const ended = await rootcellar(['run', work.path('evil.tar'), '-c', 'print("ran")']);
    expect(ended).toMatchObject({ status: 125, stdout: '' });
    expectOneError(ended, 'E_ROOTFS_UNSAFE', '`/tmp` is a symbolic link');
    expect(await namesBelow(work.path('elsewhere'))).toEqual([]);
  });

  it.each<[string, readonly string[], CommandOptions, string]>([
    ['an unknown verb', ['biuld'], {}, "unknown command 'biuld'"],
    ['an unknown option', ['build', '--fast', 'x'], {}, "unknown option '--fast'"],
    ['a limit that does not exist', ['run', 'python', '--limit', 'memroy=1GiB', '-c', '1'], {}, 'did you mean `memory'],
    ['no program', ['run', 'python'], {}, 'there is no program to run'],
    ['a store that is not absolute', ['images'], { home: 'relative' }, 'must be an absolute path'],
  ])('%s is a wrong command line, status 2', async (_, words, options, text) => {
    const ended = await rootcellar(words, options);
    expect(ended.status).toBe(2);
    expect(ended.stdout).toBe('');
    expect(ended.stderr).toContain(text);
  });

  it('an output that is no regular file, which stays what it is', async () => {
    await using work = await workplace();
    execFileSync('mkfifo', [work.path('pipe')]);
    const ended = await rootcellar(['build', join(sharedHome(), '../python'), '-o', work.path('pipe')]);
    expectOneError(ended, 'E_USAGE', 'is no regular file');
    expect(statSync(work.path('pipe')).isFIFO()).toBe(true);
  });

  it.each([
    ['a folder', '.'],
    ['a path through a file', join(COMMAND, 'x.py')],
    ['a name that is too long', `/${'n'.repeat(300)}`],
    ['a device', '/dev/zero'],
  ])('a program that is %s', async (_, path) => {
    const ended = await rootcellar(['run', 'python', '--', path]);
    expectOneError(ended, 'E_PROGRAM_NOT_FOUND');
    expect(ended.status).toBe(1);
  });

  it('a store where none can be', async () => {
    expectOneError(await rootcellar(['images'], { home: '/proc/nowhere/store' }), 'E_STORE_INVALID');
  });

  it('a store that this user may not make', async () => {
    const ended = await rootcellar(['images'], { home: '/var/lib/none-of-nobody', uid: 65_534 });
    expectOneError(ended, 'E_STORE_INVALID', '`/var/lib/none-of-nobody`: cannot be made by this user');
  });

  it.skipIf(process.geteuid?.() !== 0)('a store on a disk that is read-only', async () => {
    await using work = await workplace();
    mkdirSync(work.path('disk'));
    const mount = `mount -t tmpfs -o ro none '${work.path('disk')}' && exec "$@"`;
    const through = ['unshare', '--mount', 'sh', '-c', mount, 'sh'];
    for (const home of [work.path('disk'), work.path('disk/store')]) {
      expectOneError(await rootcellar(['images'], { home, through }), 'E_STORE_INVALID', 'its disk is read-only');
    }
  });

  it('a report that cannot be written: nothing is run', async () => {
    const ended = await rootcellar(['run', 'python', '--report', '/no/such/folder/r.json', '-c', 'print("ran")']);
    expectOneError(ended, 'E_USAGE', '--report');
    expect(ended.stdout).toBe('');
  });

  it('a report into a pipe that nobody reads; somebody who does gets it whole', async () => {
    await using work = await workplace();
    const pipe = work.path('pipe');
    execFileSync('mkfifo', [pipe]);
    const words = ['run', 'python', '-q', '--report', pipe, '-c', 'print("ran")'];
    const ended = await rootcellar(words);
    expectOneError(ended, 'E_USAGE', '--report');
    expect(ended.stdout).toBe('');
    const [read, told] = await Promise.all([readFile(pipe, 'utf8'), rootcellar(words)]);
    expect([JSON.parse(read).status, told.status, told.stdout]).toEqual(['ok', 0, 'ran\n']);
    const apart = await rootcellar(['run', 'python', '-q', '--report', '-', '-c', 'print("ran")']);
    expect([JSON.parse(apart.stderr).status, apart.stdout]).toEqual(['ok', 'ran\n']);
  });

  it('a full standard output', async () => {
    const ended = await rootcellar(['images'], { through: ['sh', '-c', 'exec "$@" > /dev/full', 'sh'] });
    expectOneError(ended, 'E_DISK_FULL', 'stdout');
    expect(ended.status).toBe(1);
  });

  it('a full standard output with --json, where errors would go', async () => {
    const through = ['sh', '-c', 'exec "$@" > /dev/full', 'sh'];
    const ended = await rootcellar(['run', '--json', 'python', '-c', 'print(1)'], { through });
    expectOneError(ended, 'E_DISK_FULL', 'stdout');
    expect(ended.status).toBe(1);
  });

  it('errors are JSON with --json', async () => {
    const ended = await rootcellar(['run', '--json', 'nothing', '-c', '1']);
    const last = JSON.parse(ended.stdout.trimEnd().split('\n').at(-1) ?? '');
    expect(last).toMatchObject({ event: 'error', problems: [{ code: 'E_IMAGE_NOT_FOUND' }] });
    expect(ended.stderr).toBe('');
  });

  it('a damaged store is found by verify, and named', async () => {
    await using work = await workplace();
    cpSync(sharedHome(), work.path('store'), { recursive: true, verbatimSymlinks: true });
    const folder = work.path('store/unpacked');
    const names = await namesBelow(folder);
    for (const name of names) {
      const content = await readFile(join(folder, name));
      content[0] = (content[0] ?? 0) ^ 1;
      await writeFile(join(folder, name), content);
    }
    const ended = await rootcellar(['verify', 'python'], { home: work.path('store') });
    expect(ended.status).toBe(1);
    expect(ended.stderr).toContain('error[E_VERIFY_FAILED]');
    expect(names.some((name) => ended.stderr.includes(name))).toBe(true);
  });
});
