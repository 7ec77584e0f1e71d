import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { RootcellarError } from '../base/rootcellar-error.ts';
import { isSameFile, lockDescriptor, type LockRequest } from './flock.ts';
import { onDisk } from './store-error.ts';
import { LAYOUT_FILE, type Store } from './store.ts';

export interface UseOptions {
  readonly signal?: AbortSignal | undefined;
}

/**
 * Does `action` while nothing is pruned: what it finds or makes in the store stays until it is done, whether a generation
 * names it yet or not. Any number of these may go on at once, also one within another.
 */
export async function withStoreUse<T>(store: Store, action: () => Promise<T>, { signal }: UseOptions = {}): Promise<T> {
  const descriptor = await hold(store, { isShared: true, wait: true, signal });
  if (descriptor === undefined) throw new Error('unreachable: waited for as long as it takes');
  try {
    // Until now, another process may have removed what was read earlier.
    store.packIndexes.clear();
    return await action();
  } finally {
    closeSync(descriptor);
  }
}

export interface AloneOptions extends UseOptions {
  /** For those who use the store, at most. */
  readonly waitMs: number;
}

/**
 * Does `action` while nobody is in `withStoreUse`. Throws E_STORE_BUSY when somebody is for all of that time: also the caller, who
 * would wait for itself.
 */
export async function withStoreAlone<T>(
  store: Store,
  action: () => Promise<T>,
  { waitMs, signal }: AloneOptions,
): Promise<T> {
  const descriptor = await hold(store, { wait: waitMs, signal });
  if (descriptor === undefined) {
    const message = `store \`${store.home}\`: builds, exports or other work use it, for more than ${waitMs / 1000} s`;
    throw new RootcellarError('E_STORE_BUSY', message, { hint: 'try again when they are done' });
  }
  try {
    return await action();
  } finally {
    store.packIndexes.clear();
    closeSync(descriptor);
  }
}

/** The lock of the whole store; undefined when it could not be had in time. */
async function hold(store: Store, request: LockRequest): Promise<number | undefined> {
  const path = join(store.home, LAYOUT_FILE);
  const descriptor = await onDisk(store.home, async () => openSync(path, 'r'));
  let isLocked = false;
  try {
    isLocked = await lockDescriptor(descriptor, request);
    if (isLocked && isSameFile(descriptor, path)) return descriptor;
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
  closeSync(descriptor);
  // Of two processes that made the store at once, the slower has replaced the file.
  return isLocked ? hold(store, request) : undefined;
}
