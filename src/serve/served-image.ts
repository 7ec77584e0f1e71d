import { parseControl } from '../assemble/deb-control.ts';
import { textAt } from '../assemble/tree-text.ts';
import { byteOrder } from '../base/byte-order.ts';
import { noProgress } from '../base/progress.ts';
import { nodePath } from '../program-words.ts';
import { readManifest } from '../store/image-manifest.ts';
import type { Image } from '../store/image-record.ts';
import { imageContents, readTree } from '../store/images.ts';
import { materialiseRootfs } from '../store/rootfs-folder.ts';
import type { Store } from '../store/store.ts';
import type { InstalledDependency, ServedImage } from './image-source.ts';
import { languageImage } from './language-image.ts';
import type { RunLanguage } from './service-watch.ts';

/**
 * Makes an image ready to be run, so that the first run does not wait: its files are laid out. Throws what that throws, and
 * E_STORE_INVALID.
 */
export async function prepareServedImage(store: Store, image: Image): Promise<ServedImage> {
  const manifest = readManifest(image.manifest);
  await materialiseRootfs(store, image, { progress: noProgress });
  const languages: readonly RunLanguage[] = [
    ...(manifest.interpreter === undefined ? [] : (['python3'] as const)),
    ...((await nodePath(image, store)) === undefined ? [] : (['nodejs'] as const)),
  ];
  const byLanguage = Object.fromEntries(
    languages.map((language) => [language, languageImage(image, manifest, language)]),
  );
  let packages: Promise<readonly InstalledDependency[]> | undefined;
  return {
    image,
    manifest,
    byLanguage,
    packages: () => (packages ??= installedDependencies(store, image, manifest.interpreter?.sitePath ?? '')),
  };
}

/**
 * What Python itself would say of its packages: by the metadata beside them, whoever has brought it. Of two versions the one is
 * told that is imported: what was installed into the image comes before what came with it.
 */
async function installedDependencies(store: Store, image: Image, own: string): Promise<readonly InstalledDependency[]> {
  const tree = await readTree(store, image);
  const contents = imageContents(store, image);
  try {
    const found = new Map<string, string>();
    const isOwn = (path: string): boolean => `/${path}`.startsWith(`${own}/`);
    const paths = [...tree.keys()].filter((path) => METADATA.test(path));
    for (const path of [...paths.filter(isOwn), ...paths.filter((one) => !isOwn(one))]) {
      const fields = parseControl(textAt(tree, contents, path) ?? '');
      const [name, version] = [fields.get('name'), fields.get('version')];
      const project = name?.toLowerCase().replaceAll(/[-_.]+/g, '-');
      if (project !== undefined && version !== undefined && !found.has(project)) found.set(project, version);
    }
    return [...found].toSorted(([a], [b]) => byteOrder(a, b)).map(([name, version]) => ({ name, version }));
  } finally {
    contents.close();
  }
}

/** Of wheels, and of what older tools have installed. */
const METADATA = /\/(?:site|dist)-packages\/[^/]+(?:\.dist-info\/METADATA|\.egg-info\/PKG-INFO|\.egg-info)$/;
