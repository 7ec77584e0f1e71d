import { linkTarget, type ImagePath } from '../base/image-path.ts';
import type { Contents, Tree } from './tree.ts';

const LARGEST_TEXT = 64 * 1024 ** 2;
const MOST_LINKS = 8;

/**
 * The text of a file that `path` is or, over links, leads to; undefined where there is none or it is larger than 64 MiB.
 * What is not UTF-8 in it comes out as U+FFFD.
 */
export function textAt(tree: Tree, contents: Contents, path: ImagePath): string | undefined {
  let entry = tree.get(path);
  for (let links = 0; links < MOST_LINKS && entry !== undefined && entry.kind !== 'file'; links += 1) {
    if (entry.kind === 'directory') return undefined;
    entry = tree.get(entry.kind === 'hardlink' ? entry.target : linkTarget(entry.path, entry.target));
  }
  if (entry?.kind !== 'file' || entry.size > LARGEST_TEXT) return undefined;
  const chunks = Array.from(contents.chunks(entry.digest, entry.size), (chunk) => Buffer.from(chunk));
  return Buffer.concat(chunks).toString('utf8');
}
