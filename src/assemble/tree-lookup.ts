import type { ImagePath } from '../base/image-path.ts';
import { nameOf, parentOf } from '../base/image-path.ts';
import type { Entry, FileEntry, Tree } from './tree.ts';

/** Finds what paths lead to in a tree, links followed inside the tree only, as the kernel does after `pivot_root`. */
export interface TreeLookup {
  /** The file or folder that `path` (absolute or relative to the root) leads to; undefined when it leads nowhere. */
  find(path: string): FoundEntry | undefined;
  /** Names in a folder, in the tree's order; none when `path` leads to no folder. */
  names(path: string): readonly string[];
}

export interface FoundEntry {
  /** Where it really lies: no component of it is a link. */
  readonly path: ImagePath;
  /** Undefined for a folder, the root included. */
  readonly file: FileEntry | undefined;
}

/** Links on one way; Linux gives up after as many. */
const MOST_LINKS = 40;

/** A lookup in `tree`, which must not change as long as the lookup is used. Answers about folders are remembered. */
export function lookupIn(tree: Tree): TreeLookup {
  const folders = new Map<string, ImagePath | undefined>();
  let children: ReadonlyMap<ImagePath, readonly string[]> | undefined;
  const folder = (path: string): ImagePath | undefined => {
    if (folders.has(path)) return folders.get(path);
    const found = walk(tree, path);
    const real = found?.file === undefined ? found?.path : undefined;
    folders.set(path, real);
    return real;
  };
  return {
    find(path) {
      const real = folder(parentOf(path));
      const name = nameOf(path);
      const entry = real === undefined ? undefined : tree.get(real === '' ? name : `${real}/${name}`);
      if (entry?.kind === 'file') return { path: entry.path, file: entry };
      return walk(tree, path);
    },
    names(path) {
      const real = folder(path);
      children ??= childrenOf(tree);
      return real === undefined ? [] : (children.get(real) ?? []);
    },
  };
}

function walk(tree: Tree, path: string): FoundEntry | undefined {
  const ahead = path.split('/').toReversed();
  let here: ImagePath = '';
  let file: FileEntry | undefined;
  let links = 0;
  for (let name = ahead.pop(); name !== undefined; name = ahead.pop()) {
    if (file !== undefined) return undefined;
    if (name === '' || name === '.') continue;
    if (name === '..') {
      here = parentOf(here);
      continue;
    }
    const entry = tree.get(here === '' ? name : `${here}/${name}`);
    if (entry === undefined) return undefined;
    if (entry.kind === 'symlink') {
      links += 1;
      if (links > MOST_LINKS) return undefined;
      if (entry.target.startsWith('/')) here = '';
      ahead.push(...entry.target.split('/').toReversed());
      continue;
    }
    here = entry.path;
    if (entry.kind !== 'directory') file = fileOf(tree, entry);
    if (entry.kind !== 'directory' && file === undefined) return undefined;
  }
  return { path: here, file };
}

function fileOf(tree: Tree, entry: Entry): FileEntry | undefined {
  const target = entry.kind === 'hardlink' ? tree.get(entry.target) : entry;
  return target?.kind === 'file' ? target : undefined;
}

function childrenOf(tree: Tree): ReadonlyMap<ImagePath, readonly string[]> {
  const children = new Map<ImagePath, string[]>();
  for (const path of tree.keys()) {
    const parent = parentOf(path);
    const names = children.get(parent);
    if (names === undefined) children.set(parent, [nameOf(path)]);
    else names.push(nameOf(path));
  }
  return children;
}
