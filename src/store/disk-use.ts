import { lstatSync, readdirSync, type Stats } from 'node:fs';
import { join } from 'node:path';

/** Of st_blocks: stat(2). */
const BLOCK_BYTES = 512;

/** Counts what removing files and folders frees: the blocks that they have, of a file with several names once. */
export function diskUse(): (path: string) => number {
  const seen = new Set<string>();
  const measure = (path: string): number => {
    const status = lstatSync(path, { throwIfNoEntry: false });
    if (status === undefined || isSeen(status, seen)) return 0;
    const own = status.blocks * BLOCK_BYTES;
    if (!status.isDirectory()) return own;
    return readdirSync(path).reduce((sum, name) => sum + measure(join(path, name)), own);
  };
  return measure;
}

function isSeen(status: Stats, seen: Set<string>): boolean {
  if (status.nlink < 2 || status.isDirectory()) return false;
  const file = `${status.dev}:${status.ino}`;
  const isKnown = seen.has(file);
  seen.add(file);
  return isKnown;
}
