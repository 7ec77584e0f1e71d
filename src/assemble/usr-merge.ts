import { linkTarget, parentOf, type ImagePath } from '../base/image-path.ts';

/** The folders that every image has as links into `usr/`. Source: Debian's "UsrMerge", and Policy 10.1. */
const MERGED: ReadonlySet<string> = new Set(['bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32']);

export function isMergedFolder(path: ImagePath): boolean {
  return MERGED.has(path);
}

/** Where a path that a package brings lies once the merged folders are links. */
export function mergedPath(path: ImagePath): ImagePath {
  const slash = path.indexOf('/');
  return slash > 0 && isMergedFolder(path.slice(0, slash)) ? `usr/${path}` : path;
}

/**
 * The target of a link that a package has at `path`, so that from its merged place it still leads where it was meant to.
 * Links that lead there anyway keep their text.
 */
export function mergedTarget(path: ImagePath, target: string): string {
  const meant = mergedPath(linkTarget(path, target));
  if (target.startsWith('/') || mergedPath(linkTarget(mergedPath(path), target)) === meant) return target;
  return relativePath(parentOf(mergedPath(path)), meant);
}

/** The path that leads from the folder `from` to `to`. */
export function relativePath(from: ImagePath, to: ImagePath): string {
  const up = from.split('/').filter(Boolean);
  const down = to.split('/').filter(Boolean);
  while (up.length > 0 && up[0] === down[0]) {
    up.shift();
    down.shift();
  }
  return [...up.map(() => '..'), ...down].join('/') || '.';
}
