import { isWrittenSo, lockfilePath, readLockfile } from './lock/lockfile-files.ts';
import type { Lockfile } from './lock/lockfile.ts';
import { readOnce } from './readings.ts';
import type { Recipe } from './recipe/recipe.ts';
import type { Store } from './store/store.ts';

export interface KnownLockfile {
  readonly lock: Lockfile | undefined;
  /** Whether to write it again would change nothing. */
  readonly isCanonical: boolean;
}

/** The recipe's lockfile, read only if it has changed since the last time. */
export async function knownLockfile(recipe: Recipe, { home }: Store): Promise<KnownLockfile> {
  const file = lockfilePath(recipe);
  return readOnce({ kind: 'lockfile', file, home }, async () => {
    const lock = await readLockfile(file);
    return { lock, isCanonical: lock !== undefined && (await isWrittenSo(file, lock)) };
  });
}
