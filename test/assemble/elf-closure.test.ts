import { describe, expect, it } from 'vitest';
import { checkClosure } from '../../src/assemble/elf-closure.ts';
import type { ClosureReport, MissingLibrary } from '../../src/assemble/elf-closure.ts';
import { cachedLibraries } from '../../src/assemble/ld-so-cache.ts';
import type { CachedLibrary } from '../../src/assemble/ld-so-cache.ts';
import { asLoadable, librarySearch } from '../../src/assemble/library-search.ts';
import type { ElfFacts } from '../../src/assemble/tree.ts';
import { elfFacts, treeOf } from './elf-trees.ts';

type Files = Readonly<Record<string, ElfFacts | string>>;

const DEFAULT_FOLDERS = ['/lib/x86_64-linux-gnu', '/usr/lib/x86_64-linux-gnu', '/lib', '/usr/lib'];
const A = elfFacts({ soname: 'liba.so' });

/** Each file is of a package of its own. */
function ownPackage(path: string): string {
  return path;
}

function missing(files: Files, cache: readonly CachedLibrary[] = []): readonly MissingLibrary[] {
  return checkClosure(treeOf(files, ownPackage).tree, { architecture: 'amd64', cache }).missing;
}

function report(files: Files, originOf = ownPackage): ClosureReport {
  return checkClosure(treeOf(files, originOf).tree, { architecture: 'amd64', cache: [] });
}

function needs(library: string, facts: Partial<ElfFacts> = {}): ElfFacts {
  return elfFacts({ needed: [library], ...facts });
}

describe('checkClosure()', () => {
  it.each<[string, Files]>([
    ['a default folder', { 'usr/bin/x': needs('liba.so'), 'usr/lib/liba.so': A }],
    [
      'a default folder that is a link',
      { 'usr/bin/x': needs('liba.so'), lib: '-> usr/lib', 'usr/lib/x86_64-linux-gnu/liba.so': A },
    ],
    [
      'a default folder behind two links',
      { x: needs('liba.so'), 'usr/lib/liba.so': '-> ../../opt/b', 'opt/b': '-> /opt/c', 'opt/c': A },
    ],
    ['$ORIGIN', { 'opt/x': needs('liba.so', { runpath: ['$ORIGIN/../own.libs'] }), 'own.libs/liba.so': A }],
    ['${ORIGIN} in DT_RPATH', { 'opt/x': needs('liba.so', { rpath: ['/none', '${ORIGIN}'] }), 'opt/liba.so': A }],
    ['$LIB', { x: needs('liba.so', { runpath: ['/opt/$LIB'] }), 'opt/lib/x86_64-linux-gnu/liba.so': A }],
    ['$PLATFORM', { x: needs('liba.so', { runpath: ['/opt/$PLATFORM'] }), 'opt/x86_64/liba.so': A }],
    ['an absolute path', { x: needs('/opt/liba.so'), 'opt/liba.so': A }],
    [
      'an interpreter',
      { x: elfFacts({ interpreter: '/lib64/ld.so' }), lib64: '-> usr/lib64', 'usr/lib64/ld.so': elfFacts() },
    ],
  ])('finds a library by %s', (_, files) => {
    expect(missing(files)).toEqual([]);
  });

  it('finds a library by ld.so.cache', () => {
    const files = { x: needs('liba.so'), 'etc/ld.so.conf': '/opt\n', 'opt/liba.so': A };
    expect(missing(files, cachedLibraries({ ...treeOf(files), architecture: 'amd64' }))).toEqual([]);
    expect(missing(files)).toHaveLength(1);
  });

  it('names what is missing, who needs it, and where it was looked for', () => {
    const facts = { runpath: ['$ORIGIN/libs', 'relative'] };
    expect(missing({ 'opt/b': needs('liba.so'), 'opt/a': needs('liba.so', facts) })).toEqual([
      {
        library: 'liba.so',
        version: undefined,
        at: undefined,
        has: [],
        neededBy: ['opt/a', 'opt/b'],
        searched: [...DEFAULT_FOLDERS, '/opt/libs'],
        unfit: [],
        blockedBy: [],
      },
    ]);
  });

  it('passes over a library for another machine or class and a dangling link, and names them', () => {
    const files = {
      x: needs('liba.so'),
      'lib/x86_64-linux-gnu/liba.so': elfFacts({ machine: 3, bits: 32 }),
      'lib/liba.so': elfFacts({ machine: 183 }),
      'usr/lib/x86_64-linux-gnu/liba.so': '-> nowhere',
    };
    const unfit = ['lib/liba.so', 'lib/x86_64-linux-gnu/liba.so'];
    expect(missing(files)).toMatchObject([{ library: 'liba.so', unfit }]);
    expect(missing({ ...files, 'usr/lib/liba.so': A })).toEqual([]);
  });

  it.each<[string, ElfFacts | string]>([
    ['a linker script', 'GROUP(liba.so.1)'],
    ['a library for another system', elfFacts({ foreign: true })],
    ['a file without a dynamic section', elfFacts({ dynamic: false })],
  ])('does not look behind %s, because a loader gives up there', (_, what) => {
    const files = { x: needs('liba.so'), 'lib/liba.so': what, 'usr/lib/liba.so': A };
    expect(missing(files)).toMatchObject([{ library: 'liba.so', blockedBy: ['lib/liba.so'], unfit: [] }]);
  });

  it('does not look at ELF files for other machines, nor at static ones', () => {
    expect(missing({ x: needs('liba.so', { machine: 183 }), y: needs('liba.so', { dynamic: false }) })).toEqual([]);
  });

  it('does not take a library from the folder of the file or from glibc-hwcaps by itself', () => {
    const hwcaps = 'usr/lib/x86_64-linux-gnu/glibc-hwcaps/x86-64-v3/liba.so';
    expect(missing({ 'opt/x': needs('liba.so'), 'opt/liba.so': A, [hwcaps]: A })).toHaveLength(1);
  });

  it('does not look in default folders, by the cache either, for a file with DF_1_NODEFLIB', () => {
    const files = { x: needs('liba.so', { noDefaultLibraries: true }), 'usr/lib/liba.so': A };
    expect(missing(files, [{ soname: 'liba.so', path: '/usr/lib/liba.so' }])).toMatchObject([{ searched: [] }]);
  });

  it('finds what only DT_RPATH of a loader of a loader leads to', () => {
    const files = {
      'app/x': needs('libb.so', { rpath: ['$ORIGIN/libs'] }),
      'app/libs/libb.so': needs('libc.so'),
      'app/libs/libc.so': needs('libd.so'),
      'app/libs/libd.so': elfFacts(),
    };
    expect(missing(files)).toEqual([]);
    expect(missing(Object.fromEntries(Object.entries(files).toReversed()))).toEqual([]);
  });

  it('does not let DT_RUNPATH of a loader count, nor DT_RPATH for a file with its own DT_RUNPATH', () => {
    const libraries = { 'app/libs/libb.so': needs('liba.so'), 'app/libs/liba.so': A };
    expect(missing({ 'app/x': needs('libb.so', { runpath: ['$ORIGIN/libs'] }), ...libraries })).toHaveLength(1);
    const isolated = { ...libraries, 'app/libs/libb.so': needs('liba.so', { runpath: ['/none'] }) };
    expect(missing({ 'app/x': needs('libb.so', { rpath: ['$ORIGIN/libs'] }), ...isolated })).toHaveLength(1);
  });

  it('tells DT_RPATH and DT_RUNPATH apart that name the same folder', () => {
    const { tree } = treeOf(
      {
        'app/x': needs('liba.so', { rpath: ['/libs'] }),
        'app/y': needs('liba.so', { runpath: ['/libs'] }),
        'libs/liba.so': A,
      },
      ownPackage,
    );
    const search = librarySearch(tree, { architecture: 'amd64', cache: [] });
    const way = (path: string): unknown => {
      const entry = tree.get(path);
      const file = entry?.kind === 'file' ? asLoadable(entry, 'amd64') : undefined;
      return file && search.search({ file, loader: undefined }, 'liba.so').way;
    };
    expect([way('app/x'), way('app/y')]).toEqual(['rpath', 'runpath']);
  });

  it('ends on libraries that need each other', () => {
    const files = {
      'usr/lib/liba.so': needs('libb.so', { rpath: ['/x'] }),
      'usr/lib/libb.so': elfFacts({ needed: ['liba.so', 'libz.so'] }),
    };
    expect(missing(files).map(({ library }) => library)).toEqual(['libz.so']);
  });

  it('counts what a program has loaded before, by name and by soname', () => {
    const files = {
      'app/x': elfFacts({ interpreter: '/app/ld.so', needed: ['libb.so', 'libc.so'], runpath: ['$ORIGIN/libs'] }),
      'app/ld.so': elfFacts(),
      'app/libs/libb.so': elfFacts({ soname: 'libown.so.1' }),
      'app/libs/libc.so': elfFacts({ needed: ['libb.so', 'libown.so.1'] }),
    };
    expect(missing(files)).toEqual([]);
  });

  it('loads what is for newer processors where its baseline twin is loaded', () => {
    const files = {
      'app/x': needs('libb.so', { rpath: ['$ORIGIN/libs'] }),
      'app/libs/libb.so': elfFacts(),
      'app/libs/glibc-hwcaps/x86-64-v3/libb.so': needs('liba.so'),
      'app/libs/liba.so': A,
    };
    expect(missing(files)).toEqual([]);
    expect(missing({ ...files, 'app/libs/liba.so': elfFacts({ machine: 183 }) })).toHaveLength(1);
  });

  it('lets DT_RPATH of the program count for modules that are loaded at run time', () => {
    const files = {
      'opt/conda/bin/python': elfFacts({ interpreter: '/x', rpath: ['$ORIGIN/../lib'] }),
      x: elfFacts(),
      'opt/conda/lib/liba.so': A,
      'opt/conda/lib/python3.13/m.so': needs('liba.so'),
    };
    const { tree } = treeOf(files, ownPackage);
    const input = { architecture: 'amd64', cache: [] } as const;
    expect(checkClosure(tree, input).missing).toHaveLength(1);
    expect(checkClosure(tree, { ...input, program: '/opt/conda/bin/python' }).missing).toEqual([]);
  });

  it('takes a library that the same package, or another Python package, has elsewhere for one that is loaded before', () => {
    const java = { 'usr/lib/jvm/lib/libjava.so': needs('libjvm.so'), 'usr/lib/jvm/lib/server/libjvm.so': elfFacts() };
    const preloaded = [
      { library: 'libjvm.so', at: 'usr/lib/jvm/lib/server/libjvm.so', neededBy: ['usr/lib/jvm/lib/libjava.so'] },
    ];
    expect(report(java, () => 'jre 21')).toMatchObject({ missing: [], preloaded });
    expect(missing(java)).toHaveLength(1);
    const site = 'usr/local/lib/python3.13/dist-packages';
    const torch = { [`${site}/vision/_C.so`]: needs('libc10.so'), [`${site}/torch/lib/libc10.so`]: elfFacts() };
    expect(report(torch)).toMatchObject({ missing: [], preloaded: [{ library: 'libc10.so' }] });
  });

  it('lets nothing be loaded before a program is', () => {
    const files = { 'opt/x': needs('liba.so', { interpreter: '/ld.so' }), 'ld.so': elfFacts(), 'opt/liba.so': A };
    expect(report(files, () => 'one')).toMatchObject({ missing: [{ library: 'liba.so' }], preloaded: [] });
  });

  it('passes over Python packages’ files for another C library, while the image has none', () => {
    const site = 'usr/local/lib/python3.13/dist-packages';
    const module = `${site}/x/musl.so`;
    const program = `${site}/x/android`;
    const files = {
      [module]: needs('libc.musl-x86_64.so.1'),
      [program]: elfFacts({ interpreter: '/system/bin/linker64' }),
    };
    expect(report(files)).toMatchObject({ missing: [], otherSystem: [program, module] });
    expect(report({ 'opt/musl.so': needs('libc.musl-x86_64.so.1') })).toMatchObject({ missing: [{}], otherSystem: [] });
    const musl = { ...files, 'lib/ld-musl-x86_64.so.1': elfFacts() };
    expect(report(musl)).toMatchObject({ missing: [{ library: 'libc.musl-x86_64.so.1' }] });
  });

  it('does not look at debugging symbols', () => {
    expect(
      missing({ 'usr/lib/debug/.build-id/1.debug': needs('liba.so'), 'opt/x.so.debug': needs('liba.so') }),
    ).toEqual([]);
  });

  it('names a version that the library at hand lacks, unless it defines none at all', () => {
    const user = needs('liba.so', { versionsNeeded: { 'liba.so': ['A_1', 'A_2'] } });
    const old = elfFacts({ versionsDefined: ['A_1'] });
    expect(missing({ x: user, 'usr/lib/liba.so': old })).toMatchObject([
      { library: 'liba.so', version: 'A_2', neededBy: ['x'], at: 'usr/lib/liba.so', has: ['A_1'] },
    ]);
    expect(missing({ x: user, 'usr/lib/liba.so': A })).toEqual([]);
  });

  it('takes a library named like a property of every object for a library', () => {
    expect(missing({ x: needs('constructor'), 'usr/lib/constructor': elfFacts({ versionsDefined: ['V'] }) })).toEqual(
      [],
    );
  });
});
