import { open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { halfMadeFile } from '../base/half-made-file.ts';
import { isErrno, RootcellarError } from '../base/rootcellar-error.ts';
import { faultOfTarget } from '../base/special-file.ts';
import { readBoundedFile } from '../recipe/bounded-file.ts';
import type { FileContentResult } from '../recipe/bounded-file.ts';
import { quotedWord } from '../recipe/quoted-value.ts';
import type { Recipe } from '../recipe/recipe.ts';
import { decodeUtf8 } from '../recipe/utf8-text.ts';
import { formatLockfile } from './lockfile-text.ts';
import type { Lockfile } from './lockfile.ts';

const LARGEST = 64 * 1024 ** 2;

/** Where the lockfile of a recipe lies: `recipe.lock.json` beside `recipe.yaml`. */
export function lockfilePath(recipe: Pick<Recipe, 'file'>): string {
  return join(dirname(recipe.file), `${basename(recipe.file).replace(/\.ya?ml$/, '')}.lock.json`);
}

/** Undefined when there is no such file. Throws E_LOCK_INVALID and E_LOCK_NEWER. */
export async function readLockfile(path: string): Promise<Lockfile | undefined> {
  const result = await readBoundedFile(path, LARGEST);
  if (result.kind === 'missing') return undefined;
  const text = result.kind === 'content' ? decodeUtf8(result.content) : undefined;
  // Loaded only now: who has the lockfile in memory already needs no parser.
  if (text !== undefined) return (await import('./lockfile-parser.ts')).parseLockfile(text, path);
  throw new RootcellarError('E_LOCK_INVALID', `${quotedWord(path)} ${faultOf(result)}`, {
    hint: 'restore it from version control, or remove it and run `rootcellar lock`',
  });
}

/** Whether the file at `path` has just the bytes that `writeLockfile` would give it. */
export async function isWrittenSo(path: string, lock: Lockfile): Promise<boolean> {
  return holds(path, Buffer.from(formatLockfile(lock), 'utf8'));
}

/**
 * Writes the lockfile so that at any instant there is the old one or the new one; does nothing when the bytes are the same.
 * Throws E_LOCK_WRITE, and E_DISK_FULL.
 */
export async function writeLockfile(path: string, lock: Lockfile): Promise<void> {
  const content = Buffer.from(formatLockfile(lock), 'utf8');
  try {
    await refuseSpecialFile(path);
    if (await holds(path, content)) return;
    await replaceFile(path, content);
  } catch (error) {
    throw writeError(path, error);
  }
}

function faultOf(result: FileContentResult): string {
  return result.kind === 'refused' ? result.fault : 'is not UTF-8';
}

async function refuseSpecialFile(path: string): Promise<void> {
  const fault = await faultOfTarget(path);
  if (fault === undefined) return;
  throw new RootcellarError('E_LOCK_WRITE', `${quotedWord(path)} ${fault}`, { hint: `remove ${quotedWord(path)}` });
}

async function holds(path: string, content: Uint8Array): Promise<boolean> {
  const result = await readBoundedFile(path, LARGEST);
  return result.kind === 'content' && Buffer.compare(result.content, content) === 0;
}

/** Replaces or makes a file so that at any instant there is the old one or the new one. */
export async function replaceFile(path: string, content: Uint8Array): Promise<void> {
  const temporary = halfMadeFile(path);
  try {
    const file = await open(temporary, 'wx', 0o644);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncFolder(dirname(path));
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function writeError(path: string, error: unknown): unknown {
  if (isErrno(error, 'ENOSPC') || isErrno(error, 'EDQUOT')) {
    const message = `${quotedWord(path)}: no space is left to write it`;
    return new RootcellarError('E_DISK_FULL', message, {
      cause: error,
      hint: `free space below ${quotedWord(dirname(path))}`,
    });
  }
  const denied = ['EACCES', 'EPERM', 'EROFS', 'ENOENT', 'ENOTDIR', 'ENAMETOOLONG'].some((name) => isErrno(error, name));
  if (!denied) return error;
  const message = `${quotedWord(path)} cannot be written`;
  return new RootcellarError('E_LOCK_WRITE', message, {
    cause: error,
    hint: `make ${quotedWord(dirname(path))} writable`,
  });
}
