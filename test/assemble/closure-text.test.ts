import { describe, expect, it } from 'vitest';
import { closureError, closureWarnings, refusedLibraries } from '../../src/assemble/closure-text.ts';
import { checkClosure } from '../../src/assemble/elf-closure.ts';
import type { ClosureReport } from '../../src/assemble/elf-closure.ts';
import type { ElfFacts } from '../../src/assemble/tree.ts';
import { elfFacts, treeOf } from './elf-trees.ts';

function report(files: Readonly<Record<string, ElfFacts | string>>): ClosureReport {
  return checkClosure(treeOf(files, (path) => path).tree, { architecture: 'amd64', cache: [] });
}

function needs(...needed: readonly string[]): ElfFacts {
  return elfFacts({ needed });
}

describe('closureError()', () => {
  it('names library, needers, folders, package, and what to type', () => {
    const users = Object.fromEntries(['a', 'b', 'c', 'd', 'e'].map((name) => [`opt/${name}`, needs('libssl.so.3')]));
    const error = closureError(report(users).missing, new Map([['libssl.so.3', ['libssl3t64']]]));
    expect(error.code).toBe('E_LIBRARY_MISSING');
    expect(error.message).toBe(
      '`libssl.so.3`: is needed by `/opt/a`, `/opt/b`, `/opt/c` and 2 more, but is not in ld.so.cache, ' +
        '`/lib/x86_64-linux-gnu`, `/usr/lib/x86_64-linux-gnu`, `/lib`, `/usr/lib`',
    );
    expect(error.hint).toBe(
      'add libssl.so.3 to shared_objects (Debian package libssl3t64), or run `rootcellar build RECIPE --add-missing`',
    );
  });

  it('says where to ask when no package is known, and tells every library', () => {
    const files = { x: elfFacts({ needed: ['liba.so', 'libb.so'], interpreter: '/lib/ld-musl-x86_64.so.1' }) };
    const error = closureError(report(files).missing, new Map());
    expect(error.problems.map(({ hint }) => hint)).toEqual([
      'apt-file search /lib/ld-musl-x86_64.so.1',
      'apt-file search /liba.so',
      'apt-file search /libb.so',
    ]);
    expect(error.message).toBe('`/lib/ld-musl-x86_64.so.1`: is needed by `/x`, but there is no such file in the image');
  });

  it('names the library that is too old, and the newest version that it has', () => {
    const user = elfFacts({ needed: ['libc.so.6'], versionsNeeded: { 'libc.so.6': ['GLIBC_2.38'] } });
    const libc = elfFacts({ versionsDefined: ['GLIBC_2.2.5', 'GLIBC_2.36', 'GLIBC_2.4', 'GLIBC_PRIVATE'] });
    const error = closureError(
      report({ 'opt/m.so': user, 'usr/lib/libc.so.6': libc }).missing,
      new Map([['libc.so.6', ['libc6']]]),
    );
    expect(error.message).toBe(
      '`libc.so.6`: has no version `GLIBC_2.38`, which is needed by `/opt/m.so`; `/usr/lib/libc.so.6` has up to `GLIBC_2.36`',
    );
    expect(error.hint).toBe('take packages that run on the libc6 of the suite, or a newer suite');
  });

  it('names what a loader passes over, and where it gives up', () => {
    const files = {
      x: needs('liba.so'),
      'lib/x86_64-linux-gnu/liba.so': elfFacts({ machine: 183 }),
      'lib/liba.so': 'text',
    };
    expect(closureError(report(files).missing, new Map()).message).toMatch(
      /; `\/lib\/x86_64-linux-gnu\/liba.so` is not for this machine; the loader gives up at `\/lib\/liba.so`, which/,
    );
  });
});

describe('allow_missing', () => {
  const files = { 'opt/a.so': needs('libGL.so.1', 'libcuda.so.1'), 'opt/b.so': needs('libGL.so.1') };

  it('takes names and patterns out of what is missing, and names each use', () => {
    const { missing } = report(files);
    expect(refusedLibraries(missing, ['libGL.so.1']).map(({ library }) => library)).toEqual(['libcuda.so.1']);
    expect(refusedLibraries(missing, ['lib*.so.1'])).toEqual([]);
    expect(closureWarnings(report(files), ['libGL*', 'libcuda.so.?'])).toEqual([
      '`libGL.so.1`: allowed to be missing; needed by `/opt/a.so`, `/opt/b.so`',
      '`libcuda.so.1`: allowed to be missing; needed by `/opt/a.so`',
    ]);
  });

  it('warns of an entry that lets nothing be missing', () => {
    expect(closureWarnings(report({ x: elfFacts() }), ['libX11.so.6'])).toEqual([
      'allow_missing: `libX11.so.6` lets nothing be missing',
    ]);
  });

  it('does not cover a version that a library lacks', () => {
    const user = elfFacts({ needed: ['libx.so'], versionsNeeded: { 'libx.so': ['X_2'] } });
    const { missing } = report({ x: user, 'usr/lib/libx.so': elfFacts({ versionsDefined: ['X_1'] }) });
    expect(refusedLibraries(missing, ['libx.so'])).toHaveLength(1);
  });
});
