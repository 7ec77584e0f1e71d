import { nameOf, parentOf, type ImagePath } from '../base/image-path.ts';
import { RootcellarError } from '../base/rootcellar-error.ts';
import { SHARED_FOLDERS } from './base-files.ts';
import { followLinks } from './link-walk.ts';
import { plainDirectory, sortedTree } from './merge-tree.ts';
import type { Entry, Tree } from './tree.ts';

/**
 * The tree with those of `additions` for whose path it has nothing yet, and with the folders that they need. Links are
 * followed inside the tree. Of two additions with one path the first counts.
 */
export function withAdditions(tree: Tree, additions: readonly Entry[]): Tree {
  if (additions.length === 0) return tree;
  const entries = new Map(tree);
  const targetOf = (path: ImagePath): string | undefined => {
    const entry = entries.get(path);
    return entry?.kind === 'symlink' ? entry.target : undefined;
  };
  for (const addition of additions) {
    const parent = followLinks(parentOf(addition.path), targetOf);
    if (parent === undefined) throw blocked(addition.path, 'links that lead in a circle');
    const path = parent === '' ? nameOf(addition.path) : `${parent}/${nameOf(addition.path)}`;
    if (entries.has(path)) continue;
    addParents(entries, path);
    entries.set(path, { ...addition, path });
  }
  return sortedTree([...entries.values()]);
}

function addParents(entries: Map<ImagePath, Entry>, path: ImagePath): void {
  for (let parent = parentOf(path); parent !== ''; parent = parentOf(parent)) {
    const present = entries.get(parent);
    if (present?.kind === 'directory') return;
    if (present !== undefined) throw blocked(path, `\`/${parent}\` of \`${present.origin}\`, which is no folder`);
    entries.set(parent, plainDirectory(parent));
  }
}

function blocked(path: ImagePath, obstacle: string): RootcellarError {
  return new RootcellarError('E_FILE_CONFLICT', `/${path}: every image has this, but it would lie behind ${obstacle}`);
}

/**
 * The tree with no time later than `epoch`. A folder has the time of the newest thing inside, or the epoch when there
 * is nothing. Folders that everybody writes to get the mode for that.
 */
export function withFinalMetadata(tree: Tree, epoch: number): Tree {
  const newest = new Map<ImagePath, number>();
  for (const entry of tree.values()) {
    if (entry.kind === 'directory') continue;
    const mtime = Math.min(entry.mtime, epoch);
    for (let folder = parentOf(entry.path); folder !== ''; folder = parentOf(folder)) {
      const known = newest.get(folder);
      if (known !== undefined && known >= mtime) break;
      newest.set(folder, mtime);
    }
  }
  const final = new Map<ImagePath, Entry>();
  for (const entry of tree.values()) {
    const mtime = entry.kind === 'directory' ? (newest.get(entry.path) ?? epoch) : Math.min(entry.mtime, epoch);
    const mode = entry.kind === 'directory' && SHARED_FOLDERS.includes(entry.path) ? 0o1777 : entry.mode;
    final.set(entry.path, mtime === entry.mtime && mode === entry.mode ? entry : { ...entry, mtime, mode });
  }
  return final;
}
