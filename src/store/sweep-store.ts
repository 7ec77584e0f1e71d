import { renameSync, rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import type { Digest } from '../base/digest.ts';
import { diskUse } from './disk-use.ts';
import { syncFolder } from './durable-file.ts';
import { findGarbage, imagesPresent, type Garbage, type Needed } from './garbage.ts';
import { letGo, takeAlone, type ImageHold } from './image-use.ts';
import { openFolders } from './leftovers.ts';
import type { Store, StoreFolder } from './store.ts';

export interface Swept {
  /** Things that went, by the folder of the store. */
  readonly counts: Readonly<Partial<Record<StoreFolder, number>>>;
  /** Of the disk. */
  readonly bytes: number;
  /** Folders without a name that are still to be emptied: `emptyTrash`. */
  readonly trash: readonly string[];
}

export interface SweepRequest {
  /** By generations alone. */
  readonly needed: Needed;
  /** Of images that nobody can use any more; of others it is found out. */
  readonly holds: readonly ImageHold[];
  readonly nowMs: number;
  readonly isDryRun: boolean;
}

/** Removes what nobody needs. To be called in `withStoreAlone`. */
export async function sweepStore(store: Store, { needed, holds, nowMs, isDryRun }: SweepRequest): Promise<Swept> {
  const known = new Set([...needed.images, ...holds.map(({ diffId }) => diffId)]);
  const inUse = new Set<Digest>();
  const more: ImageHold[] = [];
  try {
    for (const diffId of imagesPresent(store).filter((one) => !known.has(one))) {
      const hold = await takeAlone(store, diffId, { isLook: isDryRun });
      if (hold === undefined) inUse.add(diffId);
      else more.push(hold);
    }
    const images = new Set([...needed.images, ...inUse]);
    const garbage = findGarbage(store, { ...needed, images }, nowMs);
    return isDryRun ? measured(garbage) : await removeGarbage(store, garbage);
  } finally {
    for (const hold of more) letGo(hold);
  }
}

function measured(garbage: readonly Garbage[]): Swept {
  const measure = diskUse();
  return { counts: countsOf(garbage), bytes: garbage.reduce((sum, { path }) => sum + measure(path), 0), trash: [] };
}

/** Half a folder under its name would be taken for a whole one: so folders lose their names first, and go later. */
async function removeGarbage(store: Store, garbage: readonly Garbage[]): Promise<Swept> {
  const measure = diskUse();
  const trash: string[] = [];
  let bytes = 0;
  let last: StoreFolder | undefined;
  for (const { folder, path } of garbage) {
    // Each folder is on the disk before anything goes that its things needed.
    if (last !== undefined && last !== folder) syncFolder(store.path(last));
    last = folder;
    bytes += measure(path);
    if (folder === 'rootfs' || folder === 'slots') trash.push(await loseName(store, path));
    else rmSync(path, { force: true });
  }
  if (last !== undefined) syncFolder(store.path(last));
  return { counts: countsOf(garbage), bytes, trash };
}

async function loseName(store: Store, path: string): Promise<string> {
  const temporary = await store.temporaryPath();
  renameSync(path, temporary);
  return temporary;
}

function countsOf(garbage: readonly Garbage[]): Swept['counts'] {
  const counts: Partial<Record<StoreFolder, number>> = {};
  for (const { folder } of garbage) counts[folder] = (counts[folder] ?? 0) + 1;
  return counts;
}

/** Beside others, since it takes its time. Who is killed in it leaves the rest to the next process that writes. */
export async function emptyTrash(trash: readonly string[]): Promise<void> {
  for (const path of trash) {
    openFolders(path);
    await rm(path, { recursive: true, force: true });
  }
}
