import { isErrno, RootcellarError } from '../base/rootcellar-error.ts';

/** E_STORE_INVALID about one file or folder of a store. */
export function damaged(path: string, what: string, cause?: unknown): RootcellarError {
  return new RootcellarError('E_STORE_INVALID', `\`${path}\`: ${what}`, {
    hint: `rm -rf ${shellQuoted(path)}, then build, load or pull again`,
    cause,
  });
}

/**
 * Does `action` on the store at `home`. The kernel's "no space", "quota exceeded" and "may not write" become
 * E_DISK_FULL and E_STORE_INVALID, as do a read-only disk and a path that is too long; every other error passes.
 */
export async function onDisk<T>(home: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw diskError(home, error) ?? error;
  }
}

/** What a system error means for a store; undefined when it means nothing in particular. */
export function diskError(home: string, error: unknown): RootcellarError | undefined {
  if (error instanceof RootcellarError) return undefined;
  if (isErrno(error, 'ENOSPC') || isErrno(error, 'EDQUOT')) {
    return new RootcellarError('E_DISK_FULL', `store \`${home}\`: no space is left on its disk`, {
      hint: 'free some space, or set ROOTCELLAR_HOME to a folder on a larger disk',
      cause: error,
    });
  }
  if (isErrno(error, 'EROFS')) {
    return new RootcellarError('E_STORE_INVALID', `store \`${home}\`: its disk is read-only`, {
      hint: 'export ROOTCELLAR_HOME=/path/of/an/empty/folder',
      cause: error,
    });
  }
  if (isErrno(error, 'ENAMETOOLONG')) {
    return new RootcellarError('E_STORE_INVALID', `store \`${home.slice(0, 200)}…\`: its path is too long`, {
      hint: 'export ROOTCELLAR_HOME="$HOME/rootcellar"',
      cause: error,
    });
  }
  if (['EACCES', 'EPERM'].some((name) => isErrno(error, name))) {
    return new RootcellarError('E_STORE_INVALID', `store \`${home}\`: may not be used by this user`, {
      hint: 'export ROOTCELLAR_HOME="$HOME/rootcellar"',
      cause: error,
    });
  }
  if (['ENOENT', 'ENOTDIR', 'EISDIR', 'ELOOP'].some((name) => isErrno(error, name))) {
    return new RootcellarError('E_STORE_INVALID', `store \`${home}\`: parts of it are missing or replaced`, {
      hint: 'set ROOTCELLAR_HOME to an empty folder and build again',
      cause: error,
    });
  }
  return undefined;
}

function shellQuoted(path: string): string {
  return `'${path.replaceAll("'", String.raw`'\''`)}'`;
}
