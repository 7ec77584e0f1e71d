import { lstat } from 'node:fs/promises';
import { isErrno } from './rootcellar-error.ts';

/**
 * What keeps a new file from taking the name `path`: a rename would put a file in place of a device, for everybody on the
 * machine. Undefined where nothing or a regular file is there. Throws what the disk throws.
 */
export async function faultOfTarget(path: string): Promise<string | undefined> {
  try {
    const status = await lstat(path);
    if (status.isFile()) return undefined;
    if (status.isDirectory()) return 'is a folder';
    return status.isSymbolicLink() ? 'is a symbolic link' : 'is no regular file';
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}
