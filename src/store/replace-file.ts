import { mkdir, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { halfMadeFile } from '../base/half-made-file.ts';
import { isErrno, RootcellarError } from '../base/rootcellar-error.ts';
import { syncFolder } from './durable-file.ts';

/** Makes the folders on the way. The old file stays until `write` has filled the new one. */
export async function replaceFile(path: string, write: (temporary: string) => Promise<void>): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true });
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

const WRITE_FAULTS: ReadonlyMap<string, string> = new Map([
  ['EACCES', 'may not be written'],
  ['EPERM', 'may not be written'],
  ['EROFS', 'lies on a read-only file system'],
  ['EISDIR', 'is a folder'],
  ['EEXIST', 'is in the way of a folder'],
  ['ENOTDIR', 'its folder is a file'],
  ['ENOENT', 'its folder cannot be made'],
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
