import { lstat, readdir, rename, rm, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { halfMadeFile } from '../base/half-made-file.ts';
import { isErrno, RootcellarError } from '../base/rootcellar-error.ts';
import { shellWord } from '../base/shell-word.ts';
import { makeFolders, removeFolders, writeError } from '../store/replace-file.ts';

/**
 * Lets `write` fill a path beside `path`, which is absolute and then gets that name, at once. Folders on the way are made. What is there
 * already is never replaced, but for an empty folder. Throws E_USAGE and E_DISK_FULL, and leaves nothing then.
 */
export async function newOutput<T>(path: string, write: (temporary: string) => Promise<T>): Promise<T> {
  const made: string[] = [];
  try {
    await refuseTaken(path);
    made.push(...(await makeFolders(dirname(path))));
    return await fill(path, write);
  } catch (error) {
    await removeFolders(made);
    throw writeError(path, error);
  }
}

async function fill<T>(path: string, write: (temporary: string) => Promise<T>): Promise<T> {
  const temporary = halfMadeFile(path);
  try {
    const written = await write(temporary);
    await removeEmptyFolder(path);
    await rename(temporary, path);
    return written;
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

async function refuseTaken(path: string): Promise<void> {
  try {
    const status = await lstat(path);
    const isFolder = status.isDirectory();
    if (isFolder && !path.endsWith('.tar') && (await readdir(path)).length === 0) return;
    // What others have put there is nobody's to remove by a hint.
    const hint = isFolder ? `-o ${shellWord(join(path, 'NAME'))}` : 'give another path';
    throw new RootcellarError('E_USAGE', `-o \`${path}\`: is there already`, { hint });
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return;
    throw error;
  }
}

/** A file could not take its place. */
async function removeEmptyFolder(path: string): Promise<void> {
  await rmdir(path).catch((error: unknown) => {
    if (!isErrno(error, 'ENOENT')) throw error;
  });
}
