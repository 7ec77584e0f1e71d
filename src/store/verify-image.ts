import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import type { Contents, Tree } from '../assemble/tree.ts';
import { hexOf, shortDigest } from '../base/digest.ts';
import type { Digest } from '../base/digest.ts';
import { RootcellarError } from '../base/rootcellar-error.ts';
import { packTree } from '../pack/pack-tree.ts';
import { openContents } from './contents.ts';
import type { Image } from './image-record.ts';
import { imageContents, readTree } from './images.ts';
import { compareFolder } from './rootfs-comparison.ts';
import { rootfsFolders } from './rootfs-folder.ts';
import type { Store } from './store.ts';
import { loadPackIndex, packPath } from './unpacked.ts';

const TURN_BYTES = 16 * 1024 ** 2;

/**
 * Reads everything that the image is made of and says what is wrong, a line each; empty when all is well. Checked are the
 * unpacked artifacts (every content), the tar that the tree gives, and the folder that cells enter, if it was made.
 */
export async function verifyImage(store: Store, image: Image): Promise<readonly string[]> {
  const sound = await attempt(() => readTree(store, image));
  if (sound.fault !== undefined) return [sound.fault];
  const tree = sound.value;
  const faults = await inOrder(image.unpackedKeys, (key) => verifyPack(store, key));
  if (faults.length === 0) faults.push(...(await verifyTar(store, image, tree)));
  return [...faults, ...(await inOrder(rootfsFolders(store, image), (folder) => compareFolder(folder, tree)))];
}

/** Reads every content of an unpacked artifact. */
export async function verifyPack(store: Store, key: Digest): Promise<readonly string[]> {
  const { fault } = await attempt(async () => {
    const index = loadPackIndex(packPath(store, key));
    const contents = openContents(store, [key], { verify: true });
    try {
      for (const [digest, { size }] of index?.places ?? []) readAll(contents, digest, size);
    } finally {
      contents.close();
    }
  });
  await setImmediate();
  return fault === undefined ? [] : [fault];
}

function readAll(contents: Contents, digest: Digest, size: number): void {
  for (const chunk of contents.chunks(digest, size)) if (chunk.length === 0) return;
}

/** Packs the tree again. */
export async function verifyTar(store: Store, image: Image, tree: Tree): Promise<readonly string[]> {
  const { fault } = await attempt(async () => {
    const contents = imageContents(store, image);
    try {
      const got = await hashChunks(packTree(tree, contents));
      if (got === image.diffId) return;
      throw new RootcellarError(
        'E_VERIFY_FAILED',
        `image \`${image.name}\`: its files give ${shortDigest(got)}, not ${hexOf(image.diffId)}`,
      );
    } finally {
      contents.close();
    }
  });
  return fault === undefined ? [] : [fault];
}

/** Gives the event loop a turn now and then. */
async function hashChunks(chunks: Iterable<Uint8Array>): Promise<Digest> {
  const hash = createHash('sha256');
  const iterator = chunks[Symbol.iterator]();
  const step = async (): Promise<void> => {
    for (let bytes = 0; bytes < TURN_BYTES;) {
      const next = iterator.next();
      if (next.done === true) return;
      hash.update(next.value);
      bytes += next.value.length;
    }
    await setImmediate();
    await step();
  };
  await step();
  return `sha256:${hash.digest('hex')}`;
}

type Attempt<T> =
  | { readonly value: T; readonly fault: undefined }
  | { readonly value: undefined; readonly fault: string };

/** What is wrong in the store is the result here, not an error; all other errors pass. */
async function attempt<T>(action: () => Promise<T>): Promise<Attempt<T>> {
  try {
    return { value: await action(), fault: undefined };
  } catch (error) {
    if (error instanceof RootcellarError) return { value: undefined, fault: error.message };
    throw error;
  }
}

async function inOrder<T>(items: readonly T[], action: (item: T) => Promise<readonly string[]>): Promise<string[]> {
  const [first, ...rest] = items;
  if (first === undefined) return [];
  const faults = await action(first);
  return [...faults, ...(await inOrder(rest, action))];
}
