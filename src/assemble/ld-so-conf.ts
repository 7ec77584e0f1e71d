import { byteOrder } from '../base/byte-order.ts';
import { linkTarget, nameOf, parentOf } from '../base/image-path.ts';
import { matchesWildcard } from '../base/wildcard.ts';
import { lookupIn } from './tree-lookup.ts';
import type { TreeLookup } from './tree-lookup.ts';
import type { Contents, FileEntry, Tree } from './tree.ts';

/** A longer file is no list of folders, and is taken for an empty one. */
const LONGEST_CONF = 64 * 1024;
const MOST_FILES = 256;

/**
 * The folders that `/etc/ld.so.conf` and what it includes name, absolute, in the order in which ldconfig visits them.
 * Empty when the image has no such file. Each file counts once, so that files that include each other end.
 * Source: ldconfig(8); `dir=type` and `hwcap` lines are of the past and count as the folder and as nothing.
 */
export function configuredLibraryFolders(tree: Tree, contents: Contents): readonly string[] {
  return readLdSoConf(lookupIn(tree), contents).folders;
}

/** The same, and which files say so, for whatever can be looked into. */
export function readLdSoConf(
  lookup: TreeLookup,
  contents: Contents,
): { readonly folders: readonly string[]; readonly files: readonly string[] } {
  const read = new Set<string>();
  const folders: string[] = [];
  const visit = (path: string): void => {
    const found = lookup.find(path);
    if (found?.file === undefined || read.has(found.path) || read.size >= MOST_FILES) return;
    read.add(found.path);
    for (const line of confLines(found.file, contents)) {
      const [, pattern] = /^include\s+(.+)$/.exec(line) ?? [];
      if (pattern !== undefined) for (const file of included(lookup, path, pattern)) visit(file);
      else if (line.startsWith('/')) folders.push(line.replace(/\s*=.*$/, '').replace(/(?<=.)\/+$/, ''));
    }
  };
  visit('etc/ld.so.conf');
  return { folders, files: [...read] };
}

function confLines(file: FileEntry, contents: Contents): readonly string[] {
  if (file.size > LONGEST_CONF) return [];
  const parts = Array.from(contents.chunks(file.digest, file.size), (chunk) => Buffer.from(chunk));
  return Buffer.concat(parts)
    .toString()
    .split('\n')
    .map((line) => line.replace(/#.*$/, '').trim());
}

/** Files that match the patterns after `include`; only the last component of a pattern may have wildcards. */
function included(lookup: TreeLookup, from: string, patterns: string): readonly string[] {
  return patterns.split(/\s+/).flatMap((text) => {
    const path = linkTarget(from, text);
    const folder = parentOf(path);
    const pattern = nameOf(path);
    return lookup
      .names(folder)
      .filter((name) => matchesWildcard(pattern, name))
      .toSorted(byteOrder)
      .map((name) => `${folder}/${name}`);
  });
}
