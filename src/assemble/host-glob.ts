import { join } from 'node:path/posix';
import { byteOrder } from '../base/byte-order.ts';
import type { HostDisk } from './host-disk.ts';
import { followHostPath } from './host-way.ts';

const MOST_MATCHES = 100_000;
const DEEPEST = 40;

export function isHostPattern(text: string): boolean {
  return /[*?[]/.test(text);
}

/**
 * The paths on `disk` that match an absolute pattern, in byte order. `*`, `?` and `[…]` stay in one name and do not match
 * a leading dot, as glob(7) says; `**` as a whole name stands for any number of folders, links to folders left out.
 * Stops after 100 000 paths.
 */
export function expandHostPattern(disk: HostDisk, pattern: string): readonly string[] {
  let paths: readonly string[] = ['/'];
  for (const part of pattern.split('/').filter((name) => name !== '')) {
    const next = new Set<string>();
    for (const path of paths) {
      for (const match of matchesIn(disk, path, part)) if (next.size < MOST_MATCHES) next.add(match);
    }
    paths = [...next];
  }
  return paths.toSorted(byteOrder);
}

function* matchesIn(disk: HostDisk, folder: string, part: string): Generator<string, void, undefined> {
  if (part === '**') {
    yield* foldersBelow(disk, folder, 0);
    return;
  }
  if (!isHostPattern(part)) {
    const path = join(folder, part);
    if (isFolder(disk, folder) && disk.look(path) !== undefined) yield path;
    return;
  }
  const matches = namePattern(part);
  for (const name of namesIn(disk, folder)) if (matches.test(name)) yield join(folder, name);
}

function* foldersBelow(disk: HostDisk, folder: string, depth: number): Generator<string, void, undefined> {
  yield folder;
  if (depth === DEEPEST) return;
  for (const name of namesIn(disk, folder)) {
    const path = join(folder, name);
    if (!name.startsWith('.') && disk.look(path)?.kind === 'folder') yield* foldersBelow(disk, path, depth + 1);
  }
}

function namesIn(disk: HostDisk, folder: string): readonly string[] {
  return isFolder(disk, folder) ? disk.names(folder).flatMap((name) => name ?? []) : [];
}

function isFolder(disk: HostDisk, path: string): boolean {
  return followHostPath(disk, path).end.kind === 'folder';
}

/** A star that stands beside another says no more than one, and would only take time. */
function namePattern(part: string): RegExp {
  const source = part.replaceAll(/\*+|\?|\[([!^]?)([^\]]+)\]|[\\^$.|+(){}[\]]/g, (found, not: string, set: string) => {
    if (found.startsWith('*')) return '[^/]*?';
    if (found === '?') return '[^/]';
    if (set === undefined) return `\\${found}`;
    return `[${not === '' ? '' : '^'}${set.replaceAll(/[\\[\]^]/g, String.raw`\$&`)}]`;
  });
  return asRegExp(`^${part.startsWith('.') ? '' : String.raw`(?!\.)`}${source}$`);
}

/** A range that goes backwards matches nothing. */
function asRegExp(source: string): RegExp {
  try {
    return new RegExp(source, 'su');
  } catch (error) {
    if (error instanceof SyntaxError) return /(?!)/;
    throw error;
  }
}
