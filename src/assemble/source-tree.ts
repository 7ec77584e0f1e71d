import { byteOrder } from '../base/byte-order.ts';

/** The files of a source distribution or a commit, in memory, checked. */
export interface SourceTree {
  /** By path below the project's folder, in byte order of path. Folders are there only where they are empty. */
  readonly entries: ReadonlyMap<string, SourceEntry>;
  /** Seconds since 1970 at which it was made, as far as it tells: between 1980 and 2107, so that a zip can hold it. */
  readonly time: number;
}

export type SourceEntry =
  | { readonly kind: 'file'; readonly content: Uint8Array; readonly isExecutable: boolean }
  | { readonly kind: 'symlink'; readonly target: string }
  | { readonly kind: 'directory' };

/** The most that a source may hold: it is in memory, and on the cell's /tmp, as a whole. */
export const LARGEST_SOURCE: number = 512 * 1024 ** 2;
export const MOST_SOURCE_FILES = 100_000;

const LONGEST_PATH = 1024;
const EARLIEST = 315_532_800;
const LATEST = 4_354_819_199;

/**
 * Checks names, sizes and links, and brings them into order. Throws a plain Error that names the file: a path that is
 * absolute, leaves the folder or comes twice, one below a file or a link, a link that leaves the folder, or too much of it.
 */
export function sourceTree(named: Iterable<readonly [string, SourceEntry]>, time: number): SourceTree {
  const entries = new Map<string, SourceEntry>();
  let size = 0;
  for (const [path, entry] of named) {
    checkPath(path);
    const before = entries.get(path);
    if (before?.kind === 'directory' && entry.kind === 'directory') continue;
    if (before !== undefined) throw new Error(`\`${path}\` comes twice`);
    if (entry.kind === 'symlink') checkTarget(path, entry.target);
    size += entry.kind === 'file' ? entry.content.length : 0;
    entries.set(path, entry);
    if (size > LARGEST_SOURCE || entries.size > MOST_SOURCE_FILES) throw new Error('it unpacks to far too much');
  }
  checkParents(entries);
  const sorted = [...entries].toSorted(([a], [b]) => byteOrder(a, b));
  return { entries: new Map(sorted), time: Math.min(LATEST, Math.max(EARLIEST, Math.floor(time))) };
}

function checkPath(path: string): void {
  const parts = path.split('/');
  const isBad = parts.some((part) => part === '' || part === '.' || part === '..' || Buffer.byteLength(part) > 255);
  const isRepository = parts.some((part) => part.toLowerCase() === '.git');
  if (isBad || isRepository || path.length > LONGEST_PATH || /[\\\p{Cc}\p{Cs}]/u.test(path)) {
    throw new Error(`the path ${JSON.stringify(path.slice(0, 200))} is not acceptable`);
  }
}

/** A link may point to anything below the project's folder, whether it is there or not. */
function checkTarget(path: string, target: string): void {
  const isBad =
    target === '' || target.startsWith('/') || target.length > LONGEST_PATH || /[\\\p{Cc}\p{Cs}]/u.test(target);
  let depth = path.split('/').length - 1;
  for (const part of target.split('/')) {
    depth += part === '..' ? -1 : part === '' || part === '.' ? 0 : 1;
    if (isBad || depth < 0) throw new Error(`\`${path}\` is a link that leaves the folder`);
  }
}

function checkParents(entries: ReadonlyMap<string, SourceEntry>): void {
  for (const path of entries.keys()) {
    for (let at = path.indexOf('/'); at >= 0; at = path.indexOf('/', at + 1)) {
      const parent = entries.get(path.slice(0, at));
      if (parent !== undefined && parent.kind !== 'directory') {
        throw new Error(`\`${path}\` lies below \`${path.slice(0, at)}\`, which is no folder`);
      }
    }
  }
}
