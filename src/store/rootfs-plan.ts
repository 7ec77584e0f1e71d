import type { DirectoryEntry, Entry, FileEntry, HardLinkEntry, SymlinkEntry, Tree } from '../assemble/tree.ts';
import { byteOrder } from '../base/byte-order.ts';
import { parentOf, parseImagePath } from '../base/image-path.ts';
import type { ImagePath } from '../base/image-path.ts';
import { RootcellarError } from '../base/rootcellar-error.ts';

/** A tree in the order in which its entries can be made in an empty folder. */
export interface RootfsPlan {
  /** Each after the one that holds it. */
  readonly directories: readonly DirectoryEntry[];
  readonly files: readonly FileEntry[];
  readonly symlinks: readonly SymlinkEntry[];
  /** Their targets are among the files. */
  readonly hardLinks: readonly HardLinkEntry[];
}

const MODES = 0o1777;

/**
 * Plans a tree that may be hostile. Every parent is a directory of the tree itself, so in a folder that was empty no
 * path of the plan leads through a symlink or out of the folder.
 * Throws E_ROOTFS_UNSAFE for a path that is not canonical, a parent that is no directory of the tree, a hard link to
 * anything but a file of the tree, a mode with set-user-ID or set-group-ID, or a symlink that no kernel holds.
 */
export function planRootfs(tree: Tree): RootfsPlan {
  const directories: DirectoryEntry[] = [];
  const files: FileEntry[] = [];
  const symlinks: SymlinkEntry[] = [];
  const hardLinks: HardLinkEntry[] = [];
  for (const [path, entry] of [...tree].toSorted(([a], [b]) => byteOrder(a, b))) {
    checkEntry(tree, path, entry);
    if (entry.kind === 'directory') directories.push(entry);
    else if (entry.kind === 'file') files.push(entry);
    else if (entry.kind === 'symlink') symlinks.push(entry);
    else hardLinks.push(entry);
  }
  return { directories, files, symlinks, hardLinks };
}

/**
 * The part of `tree` that `paths` name, with the directories that lead there. A hard link whose file is not named
 * becomes that file. Throws E_ROOTFS_UNSAFE when a path is not in the tree.
 */
export function selectPaths(tree: Tree, paths: Iterable<ImagePath>): Tree {
  const wanted = new Set(paths);
  const selected = new Map<ImagePath, Entry>();
  for (const path of wanted) {
    const entry = entryAt(tree, path);
    for (let parent = parentOf(path); parent !== '' && !selected.has(parent); parent = parentOf(parent)) {
      selected.set(parent, entryAt(tree, parent));
    }
    selected.set(path, entry.kind === 'hardlink' && !wanted.has(entry.target) ? fileOf(tree, entry) : entry);
  }
  return selected;
}

function fileOf(tree: Tree, link: HardLinkEntry): Entry {
  return { ...entryAt(tree, link.target), path: link.path };
}

function entryAt(tree: Tree, path: ImagePath): Entry {
  const entry = tree.get(path);
  if (entry === undefined) throw unsafe(path, 'is not in the image');
  return entry;
}

function checkEntry(tree: Tree, path: ImagePath, entry: Entry): void {
  if (path === '' || entry.path !== path || parseImagePath(path) !== path)
    throw unsafe(path, 'is not a canonical path');
  const parent = parentOf(path);
  if (parent !== '' && tree.get(parent)?.kind !== 'directory')
    throw unsafe(path, `its folder \`${parent}\` is no directory`);
  if ((entry.mode & ~MODES) !== 0) throw unsafe(path, `its mode is ${entry.mode.toString(8)}`);
  if (entry.kind === 'hardlink' && tree.get(entry.target)?.kind !== 'file') {
    throw unsafe(path, `is a hard link to \`${entry.target}\`, which is no file of the image`);
  }
  if (entry.kind === 'symlink' && !isLinkTarget(entry.target))
    throw unsafe(path, 'its target is empty, too long or has a NUL');
}

function isLinkTarget(target: string): boolean {
  return target !== '' && !target.includes('\0') && Buffer.byteLength(target) <= 4095;
}

function unsafe(path: ImagePath, what: string): RootcellarError {
  return new RootcellarError('E_ROOTFS_UNSAFE', `\`/${path}\`: ${what}`);
}
