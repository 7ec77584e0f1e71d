import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { open } from 'node:fs/promises';
import type { ContentSink, UnpackedArtifact } from '../assemble/tree.ts';
import { hexOf } from '../base/digest.ts';
import type { Digest } from '../base/digest.ts';
import { isErrno } from '../base/rootcellar-error.ts';
import { publish, withTemporary } from './durable-file.ts';
import { withLock } from './kernel-lock.ts';
import { FOOTER_BYTES, formatPackEnd, parsePackFooter, parsePackIndex } from './pack-index.ts';
import type { PackIndex } from './pack-index.ts';
import { createPackWriter } from './pack-writer.ts';
import { damaged, onDisk } from './store-error.ts';
import type { Store } from './store.ts';

/**
 * The artifact that was unpacked under `key`; undefined when none was. Its index is checked, its contents are not: what
 * uses them checks them (the tar's digest, `materialiseRootfs`, `openContents` with `verify`).
 * Throws E_STORE_INVALID when it is damaged.
 */
export async function readUnpacked(store: Store, key: Digest): Promise<UnpackedArtifact | undefined> {
  return readPackIndex(store, key)?.artifact;
}

/**
 * Keeps what `unpack` gives and writes under `key`, in one step. When another process does the same at this moment,
 * waits for it and takes its result. Throws E_DISK_FULL, E_STORE_INVALID, and what `unpack` throws.
 */
export async function writeUnpacked(
  store: Store,
  key: Digest,
  unpack: (sink: ContentSink) => Promise<UnpackedArtifact>,
): Promise<UnpackedArtifact> {
  const before = readPackIndex(store, key);
  if (before !== undefined) return before.artifact;
  return withLock(store, `unpacked-${hexOf(key)}`, async () => {
    const present = readPackIndex(store, key);
    if (present !== undefined) return present.artifact;
    const artifact = await onDisk(store.home, () => writePack(store, key, unpack));
    return artifact;
  });
}

export function packPath(store: Store, key: Digest): string {
  return store.path('unpacked', hexOf(key));
}

/** Like `readUnpacked`, with the places of the contents. Read once in the life of `store`. */
export function readPackIndex(store: Store, key: Digest): PackIndex | undefined {
  const known = store.packIndexes.get(key);
  if (known !== undefined) return known;
  const index = loadPackIndex(packPath(store, key));
  if (index !== undefined) store.packIndexes.set(key, index);
  return index;
}

/** Reads the index from the disk. Synchronous: a hundred of these take a few milliseconds. */
export function loadPackIndex(path: string): PackIndex | undefined {
  const descriptor = openPack(path);
  if (descriptor === undefined) return undefined;
  try {
    return parsePackEnd(descriptor);
  } catch (error) {
    throw damaged(path, 'is damaged', error);
  } finally {
    closeSync(descriptor);
  }
}

function openPack(path: string): number | undefined {
  try {
    return openSync(path, 'r');
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

function parsePackEnd(descriptor: number): PackIndex {
  const { size } = fstatSync(descriptor);
  const footer = parsePackFooter(readExactly(descriptor, size - FOOTER_BYTES, FOOTER_BYTES));
  if (footer === undefined) throw new Error('its footer is missing');
  const start = size - FOOTER_BYTES - footer.indexLength;
  return parsePackIndex(readExactly(descriptor, start, footer.indexLength), footer);
}

function readExactly(descriptor: number, offset: number, length: number): Uint8Array {
  if (offset < 0) throw new Error('it is too short');
  const bytes = Buffer.allocUnsafe(length);
  if (readSync(descriptor, bytes, 0, length, offset) !== length) throw new Error('it is too short');
  return bytes;
}

async function writePack(
  store: Store,
  key: Digest,
  unpack: (sink: ContentSink) => Promise<UnpackedArtifact>,
): Promise<UnpackedArtifact> {
  return withTemporary(store, async (temporary) => {
    const file = await open(temporary, 'wx+', 0o600);
    try {
      const writer = createPackWriter(file, store.home);
      const artifact = await unpack(writer.sink);
      await writer.end((places) => formatPackEnd({ artifact, places }));
      await file.sync();
      await publish(temporary, packPath(store, key));
      return artifact;
    } finally {
      await file.close();
    }
  });
}
