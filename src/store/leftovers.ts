import { chmodSync, closeSync, constants, existsSync, lstatSync, openSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import pMap from 'p-map';
import { isErrno } from '../base/rootcellar-error.ts';
import { isSameFile, lockDescriptor } from './flock.ts';

const FOLDER = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
const FILE = constants.O_RDWR | constants.O_NONBLOCK | constants.O_NOFOLLOW;
const LOCKERS = 4;

/**
 * What processes that were killed left in a store: folders of half-made files that nobody has locked, locks that nobody
 * holds, and notes on downloads that are done. With `remove` it is gone afterwards.
 */
export async function findLeftovers(
  home: string,
  { remove }: { readonly remove: boolean },
): Promise<readonly string[]> {
  const candidates = [
    ...pathsIn(join(home, 'tmp')).map((path) => ({ path, flags: FOLDER })),
    ...pathsIn(join(home, 'locks')).map((path) => ({ path, flags: FILE })),
  ];
  const look = async (candidate: Candidate): Promise<readonly string[]> => lockable(candidate, remove);
  const unlocked = (await pMap(candidates, look, { concurrency: LOCKERS })).flat();
  const notes = pathsIn(join(home, 'partial')).filter(
    (path) => path.endsWith('.from') && !existsSync(path.slice(0, -'.from'.length)),
  );
  if (remove) for (const path of notes) rmSync(path, { force: true });
  return [...unlocked, ...notes];
}

interface Candidate {
  readonly path: string;
  readonly flags: number;
}

/** Whoever waits for a lock that is removed here sees afterwards that its name is gone, and starts again. */
async function lockable({ path, flags }: Candidate, remove: boolean): Promise<readonly string[]> {
  const descriptor = openThere(path, flags);
  if (descriptor === undefined) return [];
  try {
    const isFree = (await lockDescriptor(descriptor, { wait: false })) && isSameFile(descriptor, path);
    if (isFree && remove) removeAll(path);
    return isFree ? [path] : [];
  } finally {
    closeSync(descriptor);
  }
}

/** A program that a dead process had started may still write there: the next command removes the rest. */
export function removeAll(path: string): void {
  try {
    openFolders(path);
    rmSync(path, { recursive: true, force: true });
  } catch (error) {
    if (!isErrno(error, 'ENOTEMPTY') && !isErrno(error, 'ENOENT')) throw error;
  }
}

/** Images have folders in which their owner may not write, and from which nothing could be removed. */
export function openFolders(path: string): void {
  if (!lstatSync(path).isDirectory()) return;
  chmodSync(path, 0o700);
  for (const child of readdirSync(path, { withFileTypes: true })) {
    if (child.isDirectory()) openFolders(join(path, child.name));
  }
}

/** Undefined when it is gone, or something that no process of ours makes there. */
function openThere(path: string, flags: number): number | undefined {
  try {
    return openSync(path, flags);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'EISDIR', 'ELOOP', 'ENXIO'].some((name) => isErrno(error, name))) return undefined;
    throw error;
  }
}

function pathsIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder).map((name) => join(folder, name));
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  }
}
