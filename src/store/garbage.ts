import { readdirSync, statSync } from 'node:fs';
import type { Digest } from '../base/digest.ts';
import { digestFromHex } from '../base/digest.ts';
import { byteOrder } from '../base/byte-order.ts';
import { openContents } from './contents.ts';
import type { Image } from './image-record.ts';
import { readTree } from './images.ts';
import { damaged } from './store-error.ts';
import type { Store, StoreFolder } from './store.ts';
import { packPath, readPackIndex } from './unpacked.ts';

/** What generations need. */
export interface Needed {
  /** Also images that no generation has and that are in use. */
  readonly images: ReadonlySet<Digest>;
  readonly packs: ReadonlySet<Digest>;
  readonly artifacts: ReadonlySet<Digest>;
}

/** A file or folder that nothing needs. */
export interface Garbage {
  readonly folder: StoreFolder;
  readonly path: string;
}

/** Downloads younger than this may be for a build that is still to come: a lockfile was just written, or a download broke off. */
const YOUNG_MS = 24 * 60 * 60_000;
/** The bill of materials that every build puts into its image. */
const BILL = '.rootcellar/sbom.cdx.json';
const LARGEST_BILL = 64 * 1024 ** 2;

/** Throws E_STORE_INVALID when a tree or contents of these images are damaged or missing. */
export async function neededBy(store: Store, images: readonly Image[]): Promise<Needed> {
  const artifacts = new Set<Digest>();
  for (const image of new Map(images.map((one) => [one.diffId, one])).values()) {
    for (const digest of await namedArtifacts(store, image)) artifacts.add(digest);
  }
  return {
    images: new Set(images.map(({ diffId }) => diffId)),
    packs: new Set(images.flatMap(({ unpackedKeys }) => unpackedKeys)),
    artifacts,
  };
}

/** What an image says it was made of. A tar of somebody's may say anything, and keeps by it no more than what is there. */
async function namedArtifacts(store: Store, image: Image): Promise<readonly Digest[]> {
  const entry = (await readTree(store, image)).get(BILL);
  if (entry?.kind !== 'file' || entry.size > LARGEST_BILL) return [];
  const pack = packOf(store, image, entry.digest);
  if (pack === undefined) return [];
  const contents = openContents(store, [pack]);
  try {
    const text = Buffer.concat([...contents.chunks(entry.digest, entry.size)].map((chunk) => Uint8Array.from(chunk)));
    const words = text.toString('latin1').match(/\b[0-9a-f]{64}\b/g) ?? [];
    return words.flatMap((word) => digestFromHex(word) ?? []);
  } finally {
    contents.close();
  }
}

/**
 * The unpacked artifact that has a content: what a build writes itself is in the last, a layer of somebody's may be any. Undefined
 * where none has it: then no build made the image. Throws E_STORE_INVALID when one that might have it is missing.
 */
function packOf(store: Store, { unpackedKeys }: Image, content: Digest): Digest | undefined {
  return unpackedKeys.findLast((key) => {
    const index = readPackIndex(store, key);
    if (index === undefined) throw damaged(packPath(store, key), 'is missing');
    return index.places.has(content);
  });
}

/** Digests of all images of which the store has something. */
export function imagesPresent(store: Store): readonly Digest[] {
  const names = (['images', 'rootfs', 'slots', 'uses'] as const).flatMap((folder) => readdirSync(store.path(folder)));
  return [...new Set(names.flatMap((name) => imageDigest(name) ?? []))].toSorted(byteOrder);
}

/** In the order in which it may go: what needs something goes before it. */
export function findGarbage(store: Store, needed: Needed, nowMs: number): readonly Garbage[] {
  const isOfNoImage = (name: string): boolean => isUnneeded(imageDigest(name), needed.images);
  const isOld = (name: string, folder: StoreFolder): boolean => {
    const status = statSync(store.path(folder, name), { throwIfNoEntry: false });
    return status !== undefined && nowMs - status.mtimeMs > YOUNG_MS;
  };
  return [
    ...garbageIn(store, 'slots', isOfNoImage),
    ...garbageIn(store, 'rootfs', isOfNoImage),
    ...garbageIn(store, 'images', isOfNoImage),
    ...garbageIn(store, 'unpacked', (name) => isUnneeded(digestFromHex(name), needed.packs)),
    ...garbageIn(
      store,
      'artifacts',
      (name) => isUnneeded(digestFromHex(name), needed.artifacts) && isOld(name, 'artifacts'),
    ),
    ...garbageIn(store, 'partial', (name) => isOld(name, 'partial')),
    ...garbageIn(store, 'uses', isOfNoImage),
  ];
}

function garbageIn(store: Store, folder: StoreFolder, isGarbage: (name: string) => boolean): readonly Garbage[] {
  const names = readdirSync(store.path(folder)).filter(isGarbage).toSorted(byteOrder);
  return names.map((name) => ({ folder, path: store.path(folder, name) }));
}

/** Of a laid out folder the boot that made it stands behind. What has another name is not ours to remove. */
function imageDigest(name: string): Digest | undefined {
  return digestFromHex(name.replace(/\.[0-9a-f-]{1,64}$/, ''));
}

function isUnneeded(digest: Digest | undefined, needed: ReadonlySet<Digest>): boolean {
  return digest !== undefined && !needed.has(digest);
}
