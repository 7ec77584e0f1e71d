import { describe, expect, it } from 'vitest';
import { checkClosure, closureError } from '../../src/assemble/elf-closure.ts';
import type { MissingLibrary } from '../../src/assemble/elf-closure.ts';
import { cachedLibraries } from '../../src/assemble/ld-so-cache.ts';
import type { CachedLibrary } from '../../src/assemble/ld-so-cache.ts';
import type { ElfFacts } from '../../src/assemble/tree.ts';
import { elfFacts, treeOf } from './elf-trees.ts';

type Files = Readonly<Record<string, ElfFacts | string>>;

const DEFAULT_FOLDERS = ['/lib/x86_64-linux-gnu', '/usr/lib/x86_64-linux-gnu', '/lib', '/usr/lib'];
const A = elfFacts({ soname: 'liba.so' });

function missing(files: Files, cache: readonly CachedLibrary[] = []): readonly MissingLibrary[] {
  return checkClosure(treeOf(files).tree, { architecture: 'amd64', cache });
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
        neededBy: ['opt/a', 'opt/b'],
        searched: [...DEFAULT_FOLDERS, '/opt/libs'],
        unfit: [],
      },
    ]);
  });

  it('does not take a library for another machine, a linker script or a dangling link, and names them', () => {
    const files = {
      x: needs('liba.so'),
      'lib/liba.so': elfFacts({ machine: 183 }),
      'usr/lib/liba.so': 'GROUP(liba.so.1)',
      'usr/lib/x86_64-linux-gnu/liba.so': '-> nowhere',
    };
    expect(missing(files)).toMatchObject([{ library: 'liba.so', unfit: ['lib/liba.so', 'usr/lib/liba.so'] }]);
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

  it('ends on libraries that need each other', () => {
    const files = {
      'usr/lib/liba.so': needs('libb.so', { rpath: ['/x'] }),
      'usr/lib/libb.so': elfFacts({ needed: ['liba.so', 'libz.so'] }),
    };
    expect(missing(files).map(({ library }) => library)).toEqual(['libz.so']);
  });

  it('names a version that the library at hand lacks, unless it defines none at all', () => {
    const user = needs('liba.so', { versionsNeeded: { 'liba.so': ['A_1', 'A_2'] } });
    const old = elfFacts({ versionsDefined: ['A_1'] });
    expect(missing({ x: user, 'usr/lib/liba.so': old })).toMatchObject([
      { library: 'liba.so', version: 'A_2', neededBy: ['x'] },
    ]);
    expect(missing({ x: user, 'usr/lib/liba.so': A })).toEqual([]);
  });

  it('takes a library named like a property of every object for a library', () => {
    expect(missing({ x: needs('constructor'), 'usr/lib/constructor': elfFacts({ versionsDefined: ['V'] }) })).toEqual(
      [],
    );
  });
});

describe('closureError()', () => {
  it('names library, needers, folders and package', () => {
    const users = Object.fromEntries(['a', 'b', 'c', 'd', 'e'].map((name) => [`opt/${name}`, needs('libssl.so.3')]));
    const error = closureError(missing(users), (library) => (library === 'libssl.so.3' ? 'libssl3t64' : undefined));
    expect(error.code).toBe('E_LIBRARY_MISSING');
    expect(error.message).toBe(
      '`libssl.so.3`: is needed by `/opt/a`, `/opt/b`, `/opt/c` and 2 more, but is not in ld.so.cache, ' +
        '`/lib/x86_64-linux-gnu`, `/usr/lib/x86_64-linux-gnu`, `/lib`, `/usr/lib`',
    );
    expect(error.hint).toBe('add libssl3t64 to base.debian.packages');
  });

  it('says where to ask when no package is known, and tells every library', () => {
    const files = { x: elfFacts({ needed: ['liba.so', 'libb.so'], interpreter: '/lib/ld-musl-x86_64.so.1' }) };
    const error = closureError(missing(files), () => undefined);
    expect(error.problems.map(({ hint }) => hint)).toEqual([
      'apt-file search /lib/ld-musl-x86_64.so.1',
      'apt-file search /liba.so',
      'apt-file search /libb.so',
    ]);
    expect(error.message).toBe('`/lib/ld-musl-x86_64.so.1`: is needed by `/x`, but there is no such file in the image');
  });
});
