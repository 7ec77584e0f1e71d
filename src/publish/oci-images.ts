import { readManifest } from '../store/image-manifest.ts';
import type { Image } from '../store/image-record.ts';
import { imageContents, readTree } from '../store/images.ts';
import type { Store } from '../store/store.ts';
import type { OciImage } from './oci-layout.ts';

/** Under it, an image says which tar its layers are together. */
export const DIFF_ID_LABEL = 'rootcellar.diff_id';

/** Gives `action` the images with their trees, settings and contents, which are closed after it. */
export async function withOciImages<T>(
  store: Store,
  images: readonly Image[],
  action: (images: readonly OciImage[]) => Promise<T>,
): Promise<T> {
  const opened = images.map((image) => ({ image, contents: imageContents(store, image) }));
  try {
    const parts = opened.map(async ({ image, contents }): Promise<OciImage> => {
      const { epoch, interpreter } = readManifest(image.manifest);
      return {
        architecture: image.architecture,
        tree: await readTree(store, image),
        contents,
        epoch,
        command: interpreter === undefined ? [] : [interpreter.path],
        labels: { 'org.opencontainers.image.title': image.name, [DIFF_ID_LABEL]: image.diffId },
      };
    });
    return await action(await Promise.all(parts));
  } finally {
    for (const { contents } of opened) contents.close();
  }
}
