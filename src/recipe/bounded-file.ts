import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open, realpath, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join, sep } from 'node:path';
import type { Digest } from '../base/digest.ts';
import { isErrno } from '../base/rootcellar-error.ts';
import { formatSize } from '../base/units.ts';

/** The content of a file, or why there is none: `refused` completes the sentence "the file …". */
export type FileContentResult =
  | { readonly kind: 'content'; readonly content: Uint8Array }
  | { readonly kind: 'missing' }
  | { readonly kind: 'refused'; readonly fault: string };

/**
 * Reads a regular file of at most `mostBytes`. Never blocks on a FIFO or device, and reads nothing of a file that is too large.
 * Follows symbolic links.
 */
export async function readBoundedFile(path: string, mostBytes: number): Promise<FileContentResult> {
  try {
    // Looked at before it is opened, because opening alone makes some devices act.
    if (!(await stat(path)).isFile()) return { kind: 'refused', fault: 'is not a regular file' };
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
    try {
      return await readOpenFile(file, mostBytes);
    } finally {
      await file.close();
    }
  } catch (error) {
    return resultOfError(error);
  }
}

/**
 * `readBoundedFile` of a path below `folder`, which must be a real path; `outside` when a symbolic link leads out of it.
 */
export async function readFileBelow(
  folder: string,
  name: string,
  mostBytes: number,
): Promise<FileContentResult | { readonly kind: 'outside' }> {
  try {
    const path = await realpath(join(folder, name));
    if (!path.startsWith(folder.endsWith(sep) ? folder : folder + sep)) return { kind: 'outside' };
    return await readBoundedFile(path, mostBytes);
  } catch (error) {
    return resultOfError(error);
  }
}

/** Rethrows what does not come from the path itself. */
export function resultOfError(error: unknown): FileContentResult {
  if (['ENOENT', 'ENOTDIR', 'ENAMETOOLONG', 'ERR_INVALID_ARG_VALUE'].some((name) => isErrno(error, name))) {
    return { kind: 'missing' };
  }
  if (isErrno(error, 'EACCES') || isErrno(error, 'EPERM'))
    return { kind: 'refused', fault: 'cannot be read by this user' };
  if (isErrno(error, 'ELOOP')) return { kind: 'refused', fault: 'is a symbolic link that leads in a circle' };
  throw error;
}

async function readOpenFile(file: FileHandle, mostBytes: number): Promise<FileContentResult> {
  const status = await file.stat();
  if (!status.isFile()) return { kind: 'refused', fault: 'is not a regular file' };
  const tooLarge: FileContentResult = { kind: 'refused', fault: `is larger than ${formatSize(mostBytes)}` };
  if (status.size > mostBytes) return tooLarge;
  const chunks: Uint8Array[] = [];
  let total = 0;
  // The size may lie (procfs) or change, so that only what is read counts.
  for await (const chunk of file.createReadStream({ end: mostBytes, autoClose: false })) {
    if (!(chunk instanceof Uint8Array)) throw new Error('unreachable: a chunk of text');
    chunks.push(chunk);
    total += chunk.length;
  }
  return total > mostBytes ? tooLarge : { kind: 'content', content: Buffer.concat(chunks, total) };
}

export type DigestResult =
  | { readonly kind: 'digest'; readonly digest: Digest }
  | { readonly kind: 'outside' }
  | Exclude<FileContentResult, { readonly kind: 'content' }>;

/** The digest of a regular file of any size below `folder`, which must be a real path. */
export async function digestFileBelow(folder: string, name: string): Promise<DigestResult> {
  try {
    const path = await realpath(join(folder, name));
    if (!path.startsWith(folder.endsWith(sep) ? folder : folder + sep)) return { kind: 'outside' };
    if (!(await stat(path)).isFile()) return { kind: 'refused', fault: 'is not a regular file' };
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
    try {
      const hash = createHash('sha256');
      for await (const chunk of file.createReadStream({ autoClose: false, highWaterMark: 512 * 1024 }))
        hash.update(chunk);
      return { kind: 'digest', digest: `sha256:${hash.digest('hex')}` };
    } finally {
      await file.close();
    }
  } catch (error) {
    const result = resultOfError(error);
    if (result.kind === 'content') throw error;
    return result;
  }
}
