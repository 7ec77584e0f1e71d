import { existsSync, linkSync, mkdirSync, readdirSync } from 'node:fs';
import { mkdir, readdir, rename } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { isErrno } from '../base/rootcellar-error.ts';
import { withTemporary } from './durable-file.ts';
import { removeAll } from './leftovers.ts';
import { onDisk } from './store-error.ts';
import type { Store } from './store.ts';

/** Nobody but the owner may make anything in a folder, whatever the image says: only /tmp is a cell's to write to. */
const FOLDER_MODE = 0o755;

/** Where the slots of a laid out root filesystem are: roots for cells that cannot mount one, by number. */
export function slotsFolder(store: Store, root: string): string {
  return store.path('slots', basename(root));
}

/**
 * Makes the slot `index` of `root`: its folders anew, its files as further names of the same files. Does nothing when it is
 * there, or another process is quicker. Slots of roots that are gone go as well.
 * Throws E_DISK_FULL, E_STORE_INVALID.
 */
export async function makeSlot(store: Store, root: string, index: number): Promise<void> {
  await onDisk(store.home, async () => {
    await sweepSlots(store);
    const slot = join(slotsFolder(store, root), `${index}`);
    await mkdir(dirname(slot), { recursive: true, mode: 0o700 });
    await withTemporary(store, async (temporary) => {
      linkFolder(root, temporary);
      await rename(temporary, slot).catch(ignoreExisting);
    });
  });
}

function ignoreExisting(error: unknown): void {
  if (!isErrno(error, 'ENOTEMPTY') && !isErrno(error, 'EEXIST')) throw error;
}

/** Without waiting for each: there are thousands, and none takes longer than a call of its own. */
function linkFolder(from: string, to: string): void {
  mkdirSync(to, { mode: FOLDER_MODE });
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) linkFolder(source, target);
    // Symbolic links too: link(2) does not follow them.
    else linkSync(source, target);
  }
}

async function sweepSlots(store: Store): Promise<void> {
  for (const name of await readdir(store.path('slots'))) {
    if (!existsSync(store.path('rootfs', name))) removeAll(store.path('slots', name));
  }
}
