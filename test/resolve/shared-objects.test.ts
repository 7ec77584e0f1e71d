import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { RootcellarError } from '../../src/base/rootcellar-error.ts';
import { DEFAULT_SANDBOX, type Recipe, type SharedObjects } from '../../src/recipe/recipe.ts';
import { libraryPaths } from '../../src/resolve/deb-files.ts';
import { candidatePackages } from '../../src/resolve/library-packages.ts';
import { resolveRecipe, type ResolveRequest } from '../../src/resolve/resolve-recipe.ts';
import { startToyArchive, type ToyArchive, type ToyDeb } from '../support/toy-archive.ts';
import { skipWithoutPrograms } from '../support/skip-without.ts';

const AMD64 = 'usr/lib/x86_64-linux-gnu';
const ARM64 = 'usr/lib/aarch64-linux-gnu';

function library(name: string, paths: readonly string[], more: Partial<ToyDeb> = {}): ToyDeb {
  const files = Object.fromEntries(paths.map((path) => [path, 'x']));
  return { name, version: '1', architecture: 'amd64', files, ...more };
}

const DEBS: readonly ToyDeb[] = [
  library('app', []),
  library('libone1', [`lib/x86_64-linux-gnu/libone.so.1`], { fields: { Depends: 'libbase' } }),
  { ...library('libone1', [`${ARM64}/libone.so.1`]), architecture: 'arm64', version: '2' },
  { ...library('app', []), architecture: 'arm64', version: '2' },
  library('libbase', []),
  library('libtwo1', [`${AMD64}/libother.so.9`]),
  library('odd-name', [`${AMD64}/libtwo.so.1`]),
  library('left', [`${AMD64}/libboth.so.3`]),
  library('right', [`${AMD64}/libboth.so.3`]),
  library('hidden', [`${AMD64}/hidden/libhidden.so.1`]),
];

interface Machine extends AsyncDisposable {
  readonly archive: ToyArchive;
  readonly resolve: (wanted: SharedObjects, packages?: readonly string[]) => ReturnType<typeof resolveRecipe>;
}

async function toyMachine({ contents = true } = {}): Promise<Machine> {
  const suites = { toysuite: DEBS };
  const archive = await startToyArchive({ suites, architectures: ['amd64', 'arm64'], contents });
  const folder = await mkdtemp(join(tmpdir(), 'toy-machine-'));
  await mkdir(join(folder, 'sources.list.d'));
  await writeFile(join(folder, 'sources.list.d/toy.sources'), archive.sources(['toysuite']));
  const configuration = `Dir::Etc::sourcelist "/dev/null"; Dir::Etc::sourceparts "${folder}/sources.list.d"; Acquire::Retries "0";\n`;
  await writeFile(join(folder, 'apt.conf'), configuration);
  const settings: ResolveRequest['settings'] = {
    environment: { PATH: process.env['PATH'], APT_CONFIG: join(folder, 'apt.conf'), HOME: folder },
    hostArchitecture: 'amd64',
    cacheFolder: join(folder, 'cache'),
    temporaryFolder: join(folder, 'tmp'),
    now: 1_800_000_000,
  };
  return {
    archive,
    resolve: (sharedObjects, packages = ['app']) =>
      resolveRecipe({ recipe: recipeWith(sharedObjects, packages), upgrade: 'none', settings }),
    [Symbol.asyncDispose]: async () => {
      await archive.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function recipeWith(sharedObjects: SharedObjects, packages: readonly string[]): Recipe {
  return {
    name: 'toy',
    file: '/toy/recipe.yaml',
    architectures: sharedObjects.arm64 === undefined ? ['amd64'] : ['amd64', 'arm64'],
    base: { kind: 'debian', suite: 'toysuite', mirror: undefined, components: ['main'], packages },
    sharedObjects,
    python: undefined,
    files: [],
    sandbox: DEFAULT_SANDBOX,
    sources: [],
  };
}

async function problemsOf(resolving: Promise<unknown>): Promise<readonly string[]> {
  const error: unknown = await resolving.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof RootcellarError)) throw new Error('nothing was refused', { cause: error });
  return error.problems.map(({ code, message, hint }) => `${code} ${message} (${hint ?? ''})`);
}

const SKIP = skipWithoutPrograms('apt-get', 'dpkg-deb', 'gpg');

describe.skipIf(SKIP)('shared objects from a toy archive', { timeout: 60_000 }, () => {
  it('locks the package that Debian’s naming rules give, with what it needs, and asks for no index', async () => {
    await using machine = await toyMachine({ contents: false });
    const target = (await machine.resolve({ amd64: ['libone.so.1'] })).targets.get('amd64');
    expect(target?.debs.map(({ name }) => name)).toEqual(['app', 'libbase', 'libone1']);
    expect(target?.sharedObjects).toEqual([{ soname: 'libone.so.1', path: `/${AMD64}/libone.so.1`, from: 'libone1' }]);
  });

  it('resolves one line for each architecture by itself', async () => {
    await using machine = await toyMachine();
    const { targets } = await machine.resolve({ amd64: ['libone.so.1'], arm64: ['libone.so.1'] });
    expect(targets.get('amd64')?.debs.map(({ name, version }) => `${name} ${version}`)).toContain('libone1 1');
    expect(targets.get('arm64')?.debs.map(({ name, version }) => `${name} ${version}`)).toEqual(['app 2', 'libone1 2']);
    expect(targets.get('arm64')?.sharedObjects).toMatchObject([{ path: `/${ARM64}/libone.so.1` }]);
  });

  it('trusts no name: what a package does not have is looked for in the archive’s index', async () => {
    await using machine = await toyMachine();
    const target = (await machine.resolve({ amd64: ['libtwo.so.1'] })).targets.get('amd64');
    expect(target?.sharedObjects).toMatchObject([{ soname: 'libtwo.so.1', from: 'odd-name' }]);
    machine.archive.server.files.delete('/debian/dists/toysuite/main/Contents-amd64');
    expect((await machine.resolve({ amd64: ['libtwo.so.1'] })).targets.get('amd64')).toEqual(target);
  });

  it('names every soname that no package has where a loader looks', async () => {
    await using machine = await toyMachine();
    expect(await problemsOf(machine.resolve({ amd64: ['libhidden.so.1', 'libnone.so.1'] }))).toEqual([
      'E_LIBRARY_UNKNOWN shared object `libhidden.so.1`: no package of suite `toysuite` has it for amd64, where a loader looks (apt-file search /libhidden.so.1)',
      'E_LIBRARY_UNKNOWN shared object `libnone.so.1`: no package of suite `toysuite` has it for amd64, where a loader looks (apt-file search /libnone.so.1)',
    ]);
  });

  it('takes of several packages the one that is there, and refuses to guess', async () => {
    await using machine = await toyMachine();
    expect(await problemsOf(machine.resolve({ amd64: ['libboth.so.3'] }))).toEqual([
      'E_LIBRARY_UNKNOWN shared object `libboth.so.3`: several packages have it for amd64: left, right (add the one that is meant to `base.debian.packages`, such as `left`)',
    ]);
    const target = (await machine.resolve({ amd64: ['libboth.so.3'] }, ['right'])).targets.get('amd64');
    expect(target?.sharedObjects).toMatchObject([{ from: 'right' }]);
  });

  it('does not believe an index that is not the signed one', async () => {
    await using machine = await toyMachine();
    const path = '/debian/dists/toysuite/main/Contents-amd64';
    const content = Buffer.from(machine.archive.server.files.get(path)?.content ?? []);
    machine.archive.server.files.set(path, {
      content: Buffer.from(content.toString().replace('odd-name', 'bad-name')),
    });
    const [problem] = await problemsOf(machine.resolve({ amd64: ['libtwo.so.1'] }));
    expect(problem).toMatch(/^E_ARCHIVE_UNTRUSTED/);
  });
});

describe('candidatePackages()', () => {
  it.each([
    ['libssl.so.3', 'trixie', ['libssl3t64', 'libssl-3t64', 'libssl3', 'libssl-3']],
    ['libssl.so.3', 'bookworm', ['libssl3', 'libssl-3', 'libssl3t64', 'libssl-3t64']],
    ['libfoo_bar2.so.1', 'trixie', ['libfoo-bar2-1t64', 'libfoo-bar2-1']],
    ['libz.so.1', 'trixie', ['libz1t64', 'libz-1t64', 'libz1', 'libz-1']],
    ['libnss9.so', 'trixie', ['libnss9t64', 'libnss9']],
  ])('of %s in %s are by Debian’s rules', (soname, suite, names) => {
    expect(candidatePackages(soname, suite)).toEqual(names);
  });
});

it('libraryPaths() reads links, hard links and files of a listing, and nothing else', () => {
  const listing = [
    'drwxr-xr-x root/root         0 2025-01-01 00:00 ./usr/lib/x.so.d/',
    '-rw-r--r-- root/root    123456 2025-01-01 00:00 ./usr/lib/liba.so.1.2',
    'lrwxrwxrwx root/root         0 2025-01-01 00:00 ./usr/lib/liba.so.1 -> liba.so.1.2',
    'hrw-r--r-- root/root         0 2025-01-01 00:00 ./usr/lib/with space.so link to ./usr/lib/liba.so.1.2',
    '-rw-r--r-- root/root        12 2025-01-01 00:00 ./usr/share/doc/so',
  ].join('\n');
  expect(libraryPaths(listing)).toEqual(['usr/lib/liba.so.1.2', 'usr/lib/liba.so.1', 'usr/lib/with space.so']);
});
