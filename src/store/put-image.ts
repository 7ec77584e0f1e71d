import { mkdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Tree } from '../assemble/tree.ts';
import { hexOf } from '../base/digest.ts';
import { isErrno } from '../base/rootcellar-error.ts';
import { linkDurably, syncFolder, writeDurably } from './durable-file.ts';
import { formatImage, formatTree } from './image-record.ts';
import type { Image } from './image-record.ts';
import { generationNumbers, generationPath, IMAGE_NAME, nextNumber, readCurrent, treePath } from './images.ts';
import { withLock } from './kernel-lock.ts';
import { onDisk } from './store-error.ts';
import type { Store } from './store.ts';

export type NewImage = Omit<Image, 'generation'> & { readonly tree: Tree };

export interface PutOptions {
  /** Only its files are kept, so that it can be run: nothing has its name before it is put again without this. */
  readonly isCandidate?: boolean | undefined;
}

/**
 * Keeps an image and makes it the current generation of its name and architecture, in one step. An image that is just
 * like the current one makes no new generation. What is running keeps the generation that it has.
 */
export async function putImage(store: Store, image: NewImage, options: PutOptions = {}): Promise<Image> {
  if (!IMAGE_NAME.test(image.name)) throw new Error(`unreachable: an image called \`${image.name}\``);
  return withLock(store, `name-${image.name}-${image.architecture}`, () =>
    onDisk(store.home, async () => {
      await writeDurably(store, treePath(store, image.diffId), formatTree(image.tree));
      const current = await readCurrent(store, image.name, image.architecture);
      const isThere = current !== undefined && isSame(current, image);
      if (!isThere && options.isCandidate === true) return withGeneration(image, await nextGeneration(store, image));
      const kept = isThere ? current : await addGeneration(store, image);
      await linkInputs(store, kept);
      return kept;
    }),
  );
}

/** That a build of the same inputs finds this generation. */
export async function linkInputs(store: Store, { name, architecture, generation, inputsKey }: Image): Promise<void> {
  const target = `../names/${name}/${architecture}/${generation}.json`;
  await linkDurably(store, store.path('inputs', hexOf(inputsKey)), target);
}

/** What is current from here on; what runs keeps what it has. */
export async function linkCurrent(store: Store, { name, architecture, generation }: Image): Promise<void> {
  const folder = store.path('names', name, architecture);
  const before = await targetOf(join(folder, 'current'));
  const next = `${generation}.json`;
  // Its time tells until when that one was current: `pruneStore`.
  if (before !== undefined && before !== next) await linkDurably(store, join(folder, 'previous'), before);
  await linkDurably(store, join(folder, 'current'), next);
}

async function targetOf(link: string): Promise<string | undefined> {
  try {
    return await readlink(link);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

function isSame(current: Image, image: NewImage): boolean {
  return formatImage(current) === formatImage(withGeneration(image, current.generation));
}

async function addGeneration(store: Store, image: NewImage): Promise<Image> {
  const { name, architecture } = image;
  await mkdir(store.path('names', name, architecture), { recursive: true });
  syncFolder(store.path('names', name));
  syncFolder(store.path('names'));
  const number = await nextGeneration(store, image);
  const added = withGeneration(image, number);
  await writeDurably(store, generationPath(store, name, { architecture, number }), formatImage(added));
  await linkCurrent(store, added);
  return added;
}

async function nextGeneration(store: Store, { name, architecture }: NewImage): Promise<number> {
  const newest = Math.max(0, ...(await generationNumbers(store, name, architecture)));
  return Math.max(newest + 1, await nextNumber(store, name, architecture));
}

function withGeneration(image: NewImage, generation: number): Image {
  const { name, architecture, diffId, size, inputsKey, unpackedKeys, manifest } = image;
  return { name, architecture, diffId, size, inputsKey, unpackedKeys, manifest, generation };
}
