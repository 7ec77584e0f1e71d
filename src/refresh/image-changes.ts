import { nameOf } from '../base/image-path.ts';
import { byteOrder } from '../base/byte-order.ts';
import { imageBill, type ImageBill } from '../pack/image-bill.ts';
import { readManifest } from '../store/image-manifest.ts';
import type { Image } from '../store/image-record.ts';
import { imageContents, readTree } from '../store/images.ts';
import type { Store } from '../store/store.ts';
import type { Tree } from '../assemble/tree.ts';

/** What an image has that the one before it had not, beyond versions. */
export interface ImageChanges {
  /** Bytes of the tars. */
  readonly size: { readonly before: number; readonly after: number };
  /** File names of native libraries and extension modules that are new, in byte order. */
  readonly libraries: readonly string[];
  /** Packages whose licence is another one, and new packages; `unknown` where a package does not tell in a known form. */
  readonly licences: readonly LicenceChange[];
  /** System calls that the tests asked for in vain, for the first time. */
  readonly calls: readonly string[];
}

export interface LicenceChange {
  readonly name: string;
  /** An expression of SPDX; undefined for a new package. */
  readonly before: string | undefined;
  readonly after: string;
}

export async function imageChanges(
  store: Store,
  { before, after, calls }: { readonly before: Image; readonly after: Image; readonly calls: readonly string[] },
): Promise<ImageChanges> {
  const [old, now] = [await lookInto(store, before), await lookInto(store, after)];
  return {
    size: { before: before.size, after: after.size },
    libraries: [...now.libraries]
      .filter(([key]) => !old.libraries.has(key))
      .map(([, name]) => name)
      .toSorted(byteOrder),
    licences: licenceChanges(old.bill, now.bill),
    calls,
  };
}

interface LookedInto {
  readonly bill: ImageBill;
  /** By a name that stays the same from one release to the next. */
  readonly libraries: ReadonlyMap<string, string>;
}

async function lookInto(store: Store, image: Image): Promise<LookedInto> {
  const { name, diffId } = image;
  const tree = await readTree(store, image);
  const contents = imageContents(store, image);
  try {
    const bill = imageBill({ name, diffId, epoch: readManifest(image.manifest).epoch, tree, contents });
    return { bill, libraries: librariesOf(tree) };
  } finally {
    contents.close();
  }
}

/** Wheels carry libraries with a part of a digest in their name, which is another one in each release (auditwheel). */
function librariesOf(tree: Tree): ReadonlyMap<string, string> {
  const libraries = new Map<string, string>();
  for (const { kind, path } of tree.values()) {
    const name = nameOf(path);
    if (kind !== 'file' || !/\.so(?:\.\d+)*$/.test(name)) continue;
    libraries.set(name.replace(/-[0-9a-f]{8}(?=[.-])/, '').replace(/(\.so(?:\.\d+)?)[.\d]*$/, '$1'), name);
  }
  return libraries;
}

function licenceChanges(before: ImageBill, after: ImageBill): readonly LicenceChange[] {
  const old = new Map(before.packages.map(({ kind, name, licence }) => [`${kind} ${name}`, licence ?? 'unknown']));
  return after.packages.flatMap(({ kind, name, licence = 'unknown' }) => {
    const earlier = old.get(`${kind} ${name}`);
    return earlier === licence ? [] : [{ name, before: earlier, after: licence }];
  });
}
