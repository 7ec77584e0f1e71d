import { access, constants, mkdir, rename, rm, rmdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { halfMadeFile } from '../base/half-made-file.ts';
import { isErrno, RootcellarError } from '../base/rootcellar-error.ts';
import { faultOfTarget } from '../base/special-file.ts';
import { syncFolder } from './durable-file.ts';

/**
 * Makes the folders on the way. The old file stays until `write` has filled the new one; what is no regular file stays anyhow.
 * Throws E_USAGE, E_DISK_FULL.
 */
export async function replaceFile(path: string, write: (temporary: string) => Promise<void>): Promise<void> {
  try {
    await refuseSpecialFile(path);
  } catch (error) {
    throw writeError(path, error);
  }
  await replaceAny(path, write);
}

/** The same for folders that are ours to fill: a link or device that somebody put there goes, and nothing is written through it. */
export async function replaceAny(path: string, write: (temporary: string) => Promise<void>): Promise<void> {
  try {
    await makeFolders(dirname(path));
    const temporary = halfMadeFile(path);
    try {
      await write(temporary);
      await rename(temporary, path);
    } finally {
      await rm(temporary, { force: true });
    }
    syncFolder(dirname(path));
  } catch (error) {
    throw writeError(path, error);
  }
}

async function refuseSpecialFile(path: string): Promise<void> {
  const fault = await faultOfTarget(path);
  if (fault !== undefined) throw new RootcellarError('E_USAGE', `\`${path}\`: ${fault}`, { hint: 'give another path' });
}

/** Throws at once what `replaceFile` would throw after long work, as far as it can be known; makes the folders on the way. */
export async function checkReplaceable(path: string): Promise<void> {
  try {
    await refuseSpecialFile(path);
    await makeFolders(dirname(path));
    await access(dirname(path), constants.W_OK);
  } catch (error) {
    throw writeError(path, error);
  }
}

/**
 * Makes a folder with those above it, each once: Node's own recursive mkdir never ends below /proc. Returns what was made,
 * the outermost first.
 */
export async function makeFolders(path: string): Promise<readonly string[]> {
  try {
    await mkdir(path);
    return [path];
  } catch (error) {
    if (isErrno(error, 'EEXIST')) return [];
    if (!isErrno(error, 'ENOENT') || dirname(path) === path) throw error;
  }
  const above = await makeFolders(dirname(path));
  await mkdir(path);
  return [...above, path];
}

/** Removes those that `makeFolders` made, as far as nothing is in them. */
export async function removeFolders(made: readonly string[]): Promise<void> {
  for (const folder of made.toReversed()) {
    await rmdir(folder).catch((error: unknown) => {
      if (!isErrno(error, 'ENOTEMPTY') && !isErrno(error, 'ENOENT')) throw error;
    });
  }
}

const WRITE_FAULTS: ReadonlyMap<string, string> = new Map([
  ['EACCES', 'may not be written'],
  ['EPERM', 'may not be written'],
  ['EROFS', 'lies on a read-only file system'],
  ['EISDIR', 'is a folder'],
  ['EEXIST', 'is in the way of a folder'],
  ['ENOTDIR', 'its folder is a file'],
  ['ENOENT', 'its folder cannot be made'],
  ['ENAMETOOLONG', 'is too long a name'],
  ['ELOOP', 'lies behind links that lead in a circle'],
]);

/** What went wrong with writing `path`, as an error for people where it is one of theirs. */
export function writeError(path: string, cause: unknown): unknown {
  if (isErrno(cause, 'ENOSPC') || isErrno(cause, 'EDQUOT') || isErrno(cause, 'EFBIG')) {
    const hint = `df -h '${dirname(path)}', or give another path`;
    return new RootcellarError('E_DISK_FULL', `\`${path}\`: no space is left for it`, { hint, cause });
  }
  for (const [name, fault] of WRITE_FAULTS) {
    if (!isErrno(cause, name)) continue;
    const hint = 'give another path';
    return new RootcellarError('E_USAGE', `\`${path}\`: ${fault}`, { hint, cause });
  }
  return cause;
}
