import { closeSync, fsyncSync, openSync } from 'node:fs';
import { open, rename, rm, symlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { onDisk } from './store-error.ts';
import type { Store } from './store.ts';

/** Does `action` with a name that nothing has yet, and removes what is left under it, all of a folder too. */
export async function withTemporary<T>(store: Store, action: (temporary: string) => Promise<T>): Promise<T> {
  const temporary = await store.temporaryPath();
  try {
    return await action(temporary);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

/** Writes a whole file: whoever looks, now or after a crash, sees all of it or what was there before. */
export async function writeDurably(store: Store, path: string, content: string | Uint8Array): Promise<void> {
  const write = async (temporary: string): Promise<void> => {
    const file = await open(temporary, 'wx', 0o644);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await publish(temporary, path);
  };
  await onDisk(store.home, () => withTemporary(store, write));
}

/** Makes `path` a symlink to `target`, in place of what it was, in one step. */
export async function linkDurably(store: Store, path: string, target: string): Promise<void> {
  const link = async (temporary: string): Promise<void> => {
    await symlink(target, temporary);
    await publish(temporary, path);
  };
  await onDisk(store.home, () => withTemporary(store, link));
}

/** Gives a finished, synced file its name, for good. */
export async function publish(temporary: string, path: string): Promise<void> {
  await rename(temporary, path);
  syncFolder(dirname(path));
}

export function syncFolder(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
