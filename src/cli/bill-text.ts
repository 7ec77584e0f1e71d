import { formatCycloneDx } from '../pack/cyclonedx.ts';
import { imageBill } from '../pack/image-bill.ts';
import { formatSpdx } from '../pack/spdx.ts';
import { readManifest } from '../store/image-manifest.ts';
import type { Image } from '../store/image-record.ts';
import { imageContents, readTree } from '../store/images.ts';
import type { Store } from '../store/store.ts';

export type BillFormat = 'spdx' | 'cyclonedx';

interface BillOptions {
  readonly format: BillFormat;
  /** Whether SPDX lists the files of each package. */
  readonly files: boolean;
}

/** A bill of materials of any image of the store. */
export async function billText(store: Store, image: Image, { format, files }: BillOptions): Promise<string> {
  const { name, diffId } = image;
  const tree = await readTree(store, image);
  const contents = imageContents(store, image);
  try {
    const bill = imageBill({ name, diffId, epoch: readManifest(image.manifest).epoch, tree, contents });
    return format === 'spdx' ? formatSpdx(bill, files ? { contents } : {}) : formatCycloneDx(bill);
  } finally {
    contents.close();
  }
}
