import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { execPath } from 'node:process';
import { describe, expect, it } from 'vitest';
import { digestOf, hexOf } from '../../src/base/digest.ts';
import { type Ended, namesBelow, rootcellar, workplace, type Workplace } from '../support/command.ts';
import { buildLibraries, copyPython, hostFolder, hostPython } from '../support/host-python.ts';
import { startToyIndex } from '../support/toy-index.ts';

const MODULES =
  'import ctypes, json, sqlite3, ssl, zlib\nprint(sqlite3.connect(":memory:").execute("select 6 * 7").fetchone()[0])';

/** Libraries that node, sh and mount need to start. */
const LOADED =
  /\/(?:ld-|lib(?:c|m|dl|rt|pthread|stdc\+\+|gcc_s|mount|blkid|selinux|pcre2-8|atomic|uuid|crypt|z|ssl|crypto)[.-])/;

/** Writes a recipe for this machine; `more` are further lines of it. */
async function hostRecipe(work: Workplace, host: Readonly<Record<string, unknown>>, more = ''): Promise<string> {
  const base = JSON.stringify({ host });
  await work.write({
    'recipe/recipe.yaml': `name: host-test\narchitectures: [${ARCHITECTURE}]\nbase: ${base}\n${more}`,
  });
  return work.path('recipe');
}

const ARCHITECTURE = process.arch === 'arm64' ? 'arm64' : 'amd64';

interface LockedFile {
  readonly kind: string;
  readonly path: string;
  readonly target?: string;
}

interface Lock {
  readonly resolvers: readonly { readonly name: string }[];
  readonly targets: Readonly<Record<string, { readonly host_files: readonly LockedFile[] }>>;
}

function lock(recipe: string): Lock {
  return JSON.parse(readFileSync(join(recipe, 'recipe.lock.json'), 'utf8'));
}

function lockedFiles(recipe: string): readonly LockedFile[] {
  return lock(recipe).targets[`linux/${ARCHITECTURE}`]?.host_files ?? [];
}

function lockedPaths(recipe: string): readonly string[] {
  return lockedFiles(recipe).map(({ path }) => path);
}

async function succeed(words: readonly string[], options: Parameters<typeof rootcellar>[1] = {}): Promise<Ended> {
  const ended = await rootcellar(words, options);
  if (ended.status !== 0) throw new Error(`${words.join(' ')}: ${ended.stderr}`);
  return ended;
}

describe('base.host', () => {
  it('makes an image of this machine’s Python by a list as dify-sandbox has it, and runs code in it', async () => {
    await using work = await workplace();
    const { program, minor, stdlib } = hostPython();
    const recipe = await hostRecipe(work, {
      python_path: program,
      python_lib_path: [
        stdlib,
        `/usr/lib/python${minor}-is-not-here`,
        '/usr/lib/x86_64-linux-gnu',
        '/lib',
        '/etc/nsswitch.conf',
        '/etc/hosts',
        '/etc/resolv.conf',
        '/run/systemd/resolve/stub-resolv.conf',
        '/etc/localtime',
        '/etc/ssl/certs/*.crt',
      ],
    });
    const built = await succeed(['build', recipe], { home: work.path('store') });
    expect(built.stderr).toContain('`/etc/hosts`: left out, as it belongs to this machine alone');
    expect(built.stderr).toContain(`\`/usr/lib/python${minor}-is-not-here\`: left out, as it does not exist`);
    const paths = lockedPaths(recipe);
    expect(paths.filter((path) => /^\/(?:run|proc)\/|^\/etc\/(?:hosts|resolv\.conf)$/.test(path))).toEqual([]);
    expect(paths.filter((path) => path.includes('__pycache__') || path.includes('/test/'))).toEqual([]);
    // A machine has hundreds of libraries; the interpreter and its modules need some dozens.
    expect(paths.filter((path) => /\/lib[^/]+\.so(?:\.\d+)*$/.test(path)).length).toBeLessThan(100);
    const run = await succeed(['run', 'host-test', '-c', MODULES], { home: work.path('store') });
    expect(run.stdout).toBe('42\n');
  });

  it('makes an image of a virtual environment: its packages, its interpreter, and not the system’s packages', async () => {
    await using work = await workplace();
    using place = hostFolder();
    execFileSync(hostPython().program, ['-m', 'venv', '--without-pip', place.path('venv')]);
    const site = place.path('venv/lib', `python${hostPython().minor}`, 'site-packages');
    writeFileSync(join(site, 'greeting.py'), 'text = "hello from the environment"\n');
    const recipe = await hostRecipe(work, { python_path: place.path('venv/bin/python') });
    await succeed(['build', recipe]);
    const code = `import sys, greeting\nprint(greeting.text)\nprint(sys.prefix)\n${MODULES}`;
    const run = await succeed(['run', 'host-test', '-c', code]);
    expect(run.stdout).toBe(`hello from the environment\n${place.path('venv')}\n42\n`);
    const files = lockedFiles(recipe);
    expect(files).toContainEqual(expect.objectContaining({ kind: 'file', path: place.path('venv/pyvenv.cfg') }));
    expect(files.filter(({ path }) => path.startsWith('/usr/lib/python3/dist-packages'))).toEqual([]);
  });

  it('follows $ORIGIN in a prefix like conda’s, and leaves out a module that this machine cannot load', async () => {
    await using work = await workplace();
    using place = hostFolder();
    const { program, modules } = copyPython(place.path('prefix'));
    const inner = place.path('prefix/lib/libinner.so.1.0.0');
    const own = ['-Wl,--disable-new-dtags', '-Wl,-rpath,$ORIGIN/../..'];
    buildLibraries({ inner, outer: join(modules, 'outer.so'), number: 41, flags: own });
    buildLibraries({ inner: place.path('libinner.so.1'), outer: join(modules, '_broken.so'), number: 1 });
    const recipe = await hostRecipe(work, { python_path: program });
    const built = await succeed(['build', recipe]);
    const warning = `\`${modules}/_broken.so\`: left out, as it needs \`libinner.so.1\`, which this machine does not have`;
    expect(built.stderr).toContain(warning);
    expect(lockedFiles(recipe)).toContainEqual({ kind: 'left_out', path: `${modules}/_broken.so` });
    const code = `import ctypes\nprint(ctypes.CDLL("${modules}/outer.so").outer())`;
    expect((await succeed(['run', 'host-test', '-c', code])).stdout).toBe('42\n');
  });

  it('finds libraries of /usr/local as the loader does, in the layout of the official images', async () => {
    await using work = await workplace();
    using place = hostFolder();
    const { modules } = copyPython(place.path('local'));
    buildLibraries({ inner: place.path('local/lib/libinner.so.1.0'), outer: join(modules, 'outer.so'), number: 41 });
    const recipe = await hostRecipe(work, { python_path: '/usr/local/bin/python3' });
    // The machine that this process sees has another /usr/local; a node that lies there stays at hand.
    const [old, local] = [place.path('old'), place.path('local')];
    const mounts = `mkdir ${old} && mount --bind /usr/local ${old} && mount --bind ${local} /usr/local`;
    const node = execPath.replace(/^\/usr\/local(?=\/)/, old);
    const through = ['unshare', '--mount', 'sh', '-c', `${mounts} && shift && exec "$0" "$@"`, node];
    await succeed(['build', recipe], { through });
    const files = lockedFiles(recipe);
    expect(files).toContainEqual({ kind: 'link', path: '/usr/local/lib/libinner.so.1', target: 'libinner.so.1.0' });
    const code = `import ctypes, sys\nprint(ctypes.CDLL("/usr/local/lib/python${hostPython().minor}/lib-dynload/outer.so").outer(), sys.prefix)`;
    expect((await succeed(['run', 'host-test', '-c', code])).stdout).toBe('42 /usr/local\n');
  });

  it('names what has changed on this machine since it was locked, with an image in the store or without', async () => {
    await using work = await workplace();
    using place = hostFolder();
    const { program, site } = copyPython(place.path('prefix'));
    for (const name of ['changed', 'gone', 'swapped', 'same']) writeFileSync(join(site, `${name}.py`), 'value = 1\n');
    symlinkSync('same.py', join(site, 'link.py'));
    const recipe = await hostRecipe(work, { python_path: program });
    await succeed(['build', recipe]);
    const times = [1_700_000_000, 1_700_000_000] as const;
    utimesSync(join(site, 'changed.py'), ...times);
    expect((await succeed(['build', recipe])).stdout).toContain('host-test');

    writeFileSync(join(site, 'changed.py'), 'value = 2\n');
    utimesSync(join(site, 'changed.py'), ...times);
    rmSync(join(site, 'gone.py'));
    writeFileSync(join(site, 'new.py'), 'value = 3\n');
    rmSync(join(site, 'link.py'));
    symlinkSync('new.py', join(site, 'link.py'));
    rmSync(join(site, 'swapped.py'));
    mkdirSync(join(site, 'swapped.py'));
    const before = readFileSync(join(recipe, 'recipe.lock.json'));
    for (const home of [undefined, work.path('another')]) {
      const { status, stderr } = await rootcellar(['build', recipe], home === undefined ? {} : { home });
      expect(status).toBe(1);
      expect(stderr.split('\n').filter((line) => line.startsWith('error'))).toEqual([
        `error[E_HOST_CHANGED] \`${site}/changed.py\`: has another content`,
        `error[E_HOST_CHANGED] \`${site}/gone.py\`: is gone`,
        `error[E_HOST_CHANGED] \`${site}/link.py\`: leads to \`new.py\` now`,
        `error[E_HOST_CHANGED] \`${site}/new.py\`: is new`,
        `error[E_HOST_CHANGED] \`${site}/swapped.py\`: is a folder now`,
      ]);
      expect(stderr).toContain(`hint: rootcellar lock ${recipe}`);
    }
    expect(readFileSync(join(recipe, 'recipe.lock.json'))).toEqual(before);
    await succeed(['lock', recipe]);
    await succeed(['build', recipe]);
    expect(
      (await succeed(['run', 'host-test', '-c', 'import changed, link; print(changed.value, link.value)'])).stdout,
    ).toBe('2 3\n');
  });

  it('builds from a vendor folder where none of it is there, looking at nothing of that machine', async () => {
    await using work = await workplace();
    using place = hostFolder();
    const { program, site } = copyPython(place.path('prefix'));
    for (const name of ['one', 'same']) writeFileSync(join(site, `${name}.py`), 'value = 1\n');
    writeFileSync(join(site, 'two.py'), 'value = 2\n');
    const recipe = await hostRecipe(work, { python_path: program });
    const built = await succeed(['build', recipe]);
    await work.write({
      'recipe/vendor/host/README': 'mine',
      [`recipe/vendor/host/${'0'.repeat(64)}`]: 'of another lockfile',
    });
    expect((await succeed(['vendor', recipe])).stdout).toContain('1 more are there that the lockfile does not name');
    expect(await namesBelow(work.path('recipe/vendor'))).toEqual(['SHA256SUMS', 'host']);
    await succeed(['vendor', recipe, '--prune']);
    const vendored = await namesBelow(work.path('recipe/vendor/host'));
    expect(vendored).toContain('README');
    expect(vendored).not.toContain('0'.repeat(64));
    execFileSync('sha256sum', ['--check', '--strict', '--quiet', 'SHA256SUMS'], { cwd: work.path('recipe/vendor') });

    // Another machine: it lacks the interpreter, and has something else for a library that nothing here needs to run.
    renameSync(place.path('prefix'), place.path('away'));
    const library = lockedFiles(recipe).find(
      ({ kind, path }) => kind === 'file' && !path.startsWith(place.folder) && !LOADED.test(path),
    );
    const through = [
      'unshare',
      '--mount',
      '--net',
      'sh',
      '-c',
      `mount --bind /bin/false "$0" && exec "$@"`,
      library?.path ?? '',
    ];
    const elsewhere = { through, home: work.path('empty') };
    const copied = await succeed(['vendor', recipe, '--json', '-q'], elsewhere);
    expect(copied.stdout).not.toContain('"kept":false');
    const again = await succeed(['build', recipe, '--offline', '--locked'], elsewhere);
    expect(again.stdout).toBe(built.stdout);
    expect(
      (await succeed(['verify', recipe, '--rebuild'], { ...elsewhere, home: work.path('third') })).stdout,
    ).toContain('built twice from nothing, the same bytes, as the lockfile promises');

    const [two, one] = ['value = 2\n', 'value = 1\n'].map((text) =>
      work.path('recipe/vendor/host', hexOf(digestOf(text))),
    );
    rmSync(two ?? '');
    const lacking = await rootcellar(['build', recipe], elsewhere);
    const hint = `  hint: rootcellar vendor ${recipe} --arch ${ARCHITECTURE}, on the machine that it was locked on; or rootcellar lock ${recipe}\n`;
    expect(lacking.stderr).toBe(
      `error[E_HOST_CHANGED] \`${site}/two.py\`: is gone, and \`${work.path('recipe/vendor')}\` does not have it either\n${hint}`,
    );
    mkdirSync(site, { recursive: true });
    writeFileSync(join(site, 'two.py'), 'value = 2\n');
    writeFileSync(one ?? '', 'value = 9\n');
    const wrong = await rootcellar(['build', recipe], { ...elsewhere, home: work.path('fourth') });
    expect(
      wrong.stderr.match(/^error\[E_DIGEST_MISMATCH\] host file .*(?:one|same)\.py.* has other bytes/gm),
    ).toHaveLength(2);
    const refused = await rootcellar(['vendor', recipe], elsewhere);
    expect(refused.stderr.match(/^error\[E_HOST_CHANGED\].*(?:one|same)\.py`: is gone/gm)).toHaveLength(2);
  });

  it('gives the same image of a copy with other times, modes and inodes, to another user', async () => {
    await using work = await workplace();
    using place = hostFolder();
    const { program } = copyPython(place.path('prefix'));
    const recipe = await hostRecipe(work, { python_path: program });
    const first = await succeed(['build', recipe]);
    renameSync(place.path('prefix'), place.path('before'));
    cpSync(place.path('before'), place.path('prefix'), { recursive: true, verbatimSymlinks: true });
    rmSync(place.path('before'), { recursive: true });
    execFileSync('find', [place.folder, '-exec', 'touch', '-h', '-d', '2001-02-03', '{}', '+']);
    execFileSync('chmod', ['-R', 'g+w', place.folder]);
    chmodSync(place.folder, 0o755);
    chmodSync(work.folder, 0o755);
    mkdirSync(work.path('store'));
    execFileSync('chown', ['-R', '65534:65534', work.path('store'), work.path('recipe')]);
    const own = { home: work.path('store'), uid: 65_534, environment: { HOME: '/nonexistent' } };
    const locked = await succeed(['lock', recipe], own);
    expect(locked.stdout).toContain('unchanged');
    const second = await succeed(['build', recipe, '--locked'], own);
    expect(second.stdout).toBe(first.stdout);
  });

  it.each(['uv', 'pip'])('installs requirements by %s, in place of this machine’s own copy', async (resolver) => {
    await using work = await workplace();
    using place = hostFolder();
    await using index = await startToyIndex({
      wheels: [{ name: 'toy', version: '2', files: { 'toy/__init__.py': 'value = 2\n', 'toy/new.py': 'value = 2\n' } }],
    });
    const { program, site } = copyPython(place.path('prefix'), { whole: resolver === 'pip' });
    for (const [name, text] of Object.entries({
      'toy/__init__.py': 'value = 1\n',
      'toy/old.py': 'value = 1\n',
      'toy-1.dist-info/METADATA': 'Metadata-Version: 2.1\nName: toy\nVersion: 1\n',
      'toy-1.dist-info/RECORD':
        'toy/__init__.py,,\ntoy/old.py,,\ntoy-1.dist-info/METADATA,,\ntoy-1.dist-info/RECORD,,\n',
      'other.py': 'value = 1\n',
    })) {
      mkdirSync(join(site, name, '..'), { recursive: true });
      writeFileSync(join(site, name), text);
    }
    await work.write({ 'recipe/python-requirements.txt': 'toy\n' });
    const lines = `python:\n  requirements: python-requirements.txt\n  index_url: ${index.url}\n`;
    const recipe = await hostRecipe(work, { python_path: program }, lines);
    const path = pathWith(resolver);
    if (path === undefined) {
      console.warn(`NOT TESTED: there is no ${resolver} on this machine`);
      return;
    }
    const options = { environment: { PATH: path } };
    const locked = await succeed(['lock', recipe], options);
    expect(locked.stderr).toContain('left out with its files, as `toy` is among the requirements');
    expect(lockedFiles(recipe)).toContainEqual({ kind: 'left_out', path: `${site}/toy/old.py` });
    expect(lock(recipe).resolvers.map(({ name }) => name)).toEqual([resolver]);
    // What follows is the same for both.
    if (resolver === 'pip') return;
    await succeed(['build', recipe], options);
    const code = `import importlib.metadata, os, other, toy\nprint(toy.value, importlib.metadata.version("toy"), sorted(name for name in os.listdir(toy.__path__[0]) if name.endswith(".py")))`;
    expect((await succeed(['run', 'host-test', '-c', code])).stdout).toBe("2 2 ['__init__.py', 'new.py']\n");
    // A change of files alone needs no index.
    await index.close();
    writeFileSync(join(site, 'other.py'), 'value = 5\n');
    await succeed(['lock', recipe], options);
    expect(lock(recipe).resolvers.map(({ name }) => name)).toEqual([resolver]);
    await succeed(['build', recipe], options);
  });
});

/** PATH with only one of the two resolvers; undefined where this machine has none. */
function pathWith(resolver: string): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(':');
  if (resolver === 'uv') return folders.some(hasUv) ? folders.join(':') : undefined;
  return folders.filter((folder) => !hasUv(folder)).join(':');
}

function hasUv(folder: string): boolean {
  return spawnSync(join(folder, 'uv'), ['--version']).status === 0;
}
