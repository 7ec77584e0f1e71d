import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Entry } from '../../src/assemble/tree.ts';
import { byteOrder } from '../../src/base/byte-order.ts';
import { parentOf } from '../../src/base/image-path.ts';
import { RootcellarError } from '../../src/base/rootcellar-error.ts';
import { planRootfs, selectPaths } from '../../src/store/rootfs-plan.ts';
import type { RootfsPlan } from '../../src/store/rootfs-plan.ts';
import { directoryEntry, fileEntry, hardLinkEntry, symlinkEntry, treeOf } from './scratch-store.ts';

describe('planRootfs()', () => {
  it.each<[string, Map<string, Entry>]>([
    ['a parent that is a symlink', treeOf(symlinkEntry('lib', '/etc'), fileEntry('lib/passwd', 'x'))],
    ['a parent that is a file', treeOf(fileEntry('lib', ''), fileEntry('lib/x', 'x'))],
    ['a missing parent', treeOf(fileEntry('lib/x', 'x'))],
    ['a path that climbs', treeOf(directoryEntry('..'), fileEntry('../x', 'x'))],
    ['an absolute path', treeOf(fileEntry('/x', 'x'))],
    ['the root itself', treeOf(fileEntry('', 'x'))],
    ['a path with a NUL', treeOf(fileEntry('x\0y', 'x'))],
    ['a key that is not the path', new Map([['a', fileEntry('b', 'x')]])],
    ['a hard link to a symlink', treeOf(symlinkEntry('a', '/etc/shadow'), hardLinkEntry('b', 'a'))],
    ['a hard link to nothing', treeOf(hardLinkEntry('b', '../../etc/shadow'))],
    ['a set-user-ID file', treeOf(fileEntry('su', 'x', 0o4755))],
    ['an empty symlink', treeOf(symlinkEntry('a', ''))],
  ])('refuses %s', (_, tree) => {
    expect(() => planRootfs(tree)).toThrow(expect.objectContaining({ code: 'E_ROOTFS_UNSAFE' }));
  });

  it('plans no path below anything but a directory of the plan, whatever it is given', () => {
    const path = fc.array(fc.constantFrom('a', 'b', '..', '.', ''), { maxLength: 4 }).map((names) => names.join('/'));
    const entry = fc
      .tuple(fc.nat(3), path, path)
      .map(([kind, at, target]) =>
        [directoryEntry(at), fileEntry(at, 'x'), symlinkEntry(at, target), hardLinkEntry(at, target)].at(kind),
      );
    fc.assert(
      fc.property(fc.array(entry), (entries) => {
        const plan = planned(treeOf(...entries.flatMap((one) => one ?? [])));
        const made = new Set(['']);
        const unsafe = [...plan.directories, ...plan.files, ...plan.symlinks, ...plan.hardLinks].filter((one) => {
          const isSafe = made.has(parentOf(one.path)) && !one.path.split('/').includes('..');
          if (one.kind === 'directory') made.add(one.path);
          return !isSafe;
        });
        expect(unsafe).toEqual([]);
      }),
    );
  });
});

/** A refused tree gives an empty plan. */
function planned(tree: Map<string, Entry>): RootfsPlan {
  try {
    return planRootfs(tree);
  } catch (error) {
    if (error instanceof RootcellarError) return { directories: [], files: [], symlinks: [], hardLinks: [] };
    throw error;
  }
}

describe('selectPaths()', () => {
  const tree = treeOf(
    directoryEntry('usr'),
    directoryEntry('usr/bin'),
    fileEntry('usr/bin/python3.13', 'elf', 0o755),
    hardLinkEntry('usr/bin/twin', 'usr/bin/python3.13'),
    symlinkEntry('usr/bin/python3', 'python3.13'),
    fileEntry('usr/other', 'x'),
  );

  it('takes the paths and the directories that lead there', () => {
    expect([...selectPaths(tree, ['usr/bin/python3']).keys()].toSorted(byteOrder)).toEqual([
      'usr',
      'usr/bin',
      'usr/bin/python3',
    ]);
  });

  it('makes a file of a hard link whose file is left out', () => {
    expect(selectPaths(tree, ['usr/bin/twin']).get('usr/bin/twin')).toEqual(fileEntry('usr/bin/twin', 'elf', 0o755));
    expect(selectPaths(tree, ['usr/bin/twin', 'usr/bin/python3.13']).get('usr/bin/twin')?.kind).toBe('hardlink');
  });

  it('refuses a path that is not in the tree', () => {
    expect(() => selectPaths(tree, ['usr/none'])).toThrow(/`\/usr\/none`: is not in the image/);
  });
});
