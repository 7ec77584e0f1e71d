import { AsyncLocalStorage } from 'node:async_hooks';
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open, realpath, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { digestOf } from '../base/digest.ts';
import type { Digest } from '../base/digest.ts';
import { isErrno } from '../base/rootcellar-error.ts';
import { formatSize } from '../base/units.ts';

/** The content of a file, or why there is none: `refused` completes the sentence "the file …". */
export type FileContentResult =
  | { readonly kind: 'content'; readonly content: Uint8Array }
  | { readonly kind: 'missing' }
  | { readonly kind: 'refused'; readonly fault: string };

/** A file as it was read: by path, or by name below a folder. Without a digest it could not be read, or was not there. */
export interface FileRead {
  readonly folder: string | undefined;
  readonly name: string;
  /** Infinite where only the digest was wanted. */
  readonly mostBytes: number;
  readonly digest: Digest | undefined;
}

const watching = new AsyncLocalStorage<FileRead[]>();

/** Does `action`, and tells which files it has read by the functions of this file. */
export async function watchReads<T>(
  action: () => Promise<T>,
): Promise<{ readonly value: T; readonly reads: readonly FileRead[] }> {
  const reads: FileRead[] = [];
  const value = await watching.run(reads, action);
  return { value, reads };
}

/** Whether reading the file again gives what it gave then. */
export async function isReadAgain({ folder, name, mostBytes, digest }: FileRead): Promise<boolean> {
  if (folder !== undefined && mostBytes === Number.POSITIVE_INFINITY) {
    return digestOfResult(await digestBelow(folder, name)) === digest;
  }
  const result = await (folder === undefined ? readFile(name, mostBytes) : readBelow(folder, name, mostBytes));
  return digestOfResult(result) === digest;
}

type Result = FileContentResult | { readonly kind: 'outside' };

function noted<T extends Result | DigestResult>(result: T, read: Omit<FileRead, 'digest'>): T {
  watching.getStore()?.push({ ...read, digest: digestOfResult(result) });
  return result;
}

function digestOfResult(result: Result | DigestResult): Digest | undefined {
  if (result.kind === 'digest') return result.digest;
  return result.kind === 'content' ? digestOf(result.content) : undefined;
}

/**
 * Reads a regular file of at most `mostBytes`. Never blocks on a FIFO or device, and reads nothing of a file that is too large.
 * Follows symbolic links.
 */
export async function readBoundedFile(path: string, mostBytes: number): Promise<FileContentResult> {
  return noted(await readFile(path, mostBytes), { folder: undefined, name: path, mostBytes });
}

async function readFile(path: string, mostBytes: number): Promise<FileContentResult> {
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
export async function readFileBelow(folder: string, name: string, mostBytes: number): Promise<Result> {
  return noted(await readBelow(folder, name, mostBytes), { folder, name, mostBytes });
}

async function readBelow(folder: string, name: string, mostBytes: number): Promise<Result> {
  try {
    const path = await realpath(join(folder, name));
    if (!path.startsWith(folder.endsWith(sep) ? folder : folder + sep)) return { kind: 'outside' };
    return await readFile(path, mostBytes);
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
  return noted(await digestBelow(folder, name), { folder, name, mostBytes: Number.POSITIVE_INFINITY });
}

async function digestBelow(folder: string, name: string): Promise<DigestResult> {
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
