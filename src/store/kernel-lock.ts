import { closeSync, openSync, unlinkSync } from 'node:fs';
import { isErrno } from '../base/rootcellar-error.ts';
import { isSameFile, lockDescriptor } from './flock.ts';
import { onDisk } from './store-error.ts';
import type { Store } from './store.ts';

/**
 * Does `action` while no other holder of the lock `name` (letters, digits, `.` and `-`) runs, in this process or another.
 * The kernel frees the lock when its holder dies. Not re-entrant: taking a lock that the caller holds waits for ever.
 */
export async function withLock<T>(store: Store, name: string | LockName, action: () => Promise<T>): Promise<T> {
  const { lock, signal } = typeof name === 'string' ? { lock: name, signal: undefined } : name;
  const path = store.path('locks', lock);
  const descriptor = await onDisk(store.home, () => acquire(path, signal));
  try {
    return await action();
  } finally {
    release(path, descriptor);
  }
}

/** A lock whose waiting can be given up. */
export interface LockName {
  readonly lock: string;
  readonly signal: AbortSignal | undefined;
}

/** The former holder removes the file, so whoever waited on it holds a lock on nothing and must start again. */
async function acquire(path: string, signal: AbortSignal | undefined): Promise<number> {
  const descriptor = openSync(path, 'a', 0o600);
  try {
    await lockDescriptor(descriptor, { wait: true, signal });
    if (isSameFile(descriptor, path)) return descriptor;
  } catch (error) {
    if (signal?.aborted === true) await giveUp(path, descriptor);
    else closeSync(descriptor);
    throw error;
  }
  closeSync(descriptor);
  return acquire(path, signal);
}

/** Who stopped waiting may have made the file: it goes, but for a holder, who removes it. */
async function giveUp(path: string, descriptor: number): Promise<void> {
  const isFree = await lockDescriptor(descriptor, { wait: false });
  if (isFree && isSameFile(descriptor, path)) release(path, descriptor);
  else closeSync(descriptor);
}

/** Removes the file while it is still locked: nobody else can hold a lock on it by then. */
function release(path: string, descriptor: number): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
  } finally {
    closeSync(descriptor);
  }
}
