import { readLdSoConf } from './assemble/ld-so-conf.ts';
import { defaultFolders } from './assemble/ld-so-cache.ts';
import { lookupIn } from './assemble/tree-lookup.ts';
import { ARCHITECTURE_FACTS } from './base/architecture.ts';
import { RootcellarError } from './base/rootcellar-error.ts';
import { loaderWords } from './run/cell-start.ts';
import type { Image } from './store/image-record.ts';
import { imageContents, readTree } from './store/images.ts';
import type { Store } from './store/store.ts';

/** What starts `interpreter` (absolute in the image) where the image, laid out as `root`, is not the root of the cell. */
export async function startFromOutside(
  store: Store,
  image: Image,
  { root, interpreter }: { readonly root: string; readonly interpreter: string },
): Promise<readonly string[]> {
  const { architecture, name } = image;
  const lookup = lookupIn(await readTree(store, image));
  const contents = imageContents(store, image);
  try {
    const loader = lookup.find(ARCHITECTURE_FACTS[architecture].loader);
    const program = lookup.find(interpreter);
    if (loader?.file === undefined || program?.file === undefined) throw notStartable(name);
    const folders = [...readLdSoConf(lookup, contents).folders, ...defaultFolders(architecture)];
    return loaderWords({
      root,
      loader: `/${loader.path}`,
      interpreter: `/${program.path}`,
      name: interpreter,
      libraries: folders.filter((folder) => lookup.find(folder) !== undefined),
    });
  } finally {
    contents.close();
  }
}

function notStartable(image: string): RootcellarError {
  return new RootcellarError('E_SANDBOX', `image \`${image}\`: tier D can start programs of Debian’s C library only`, {
    hint: 'run it where cells are of a better tier: rootcellar doctor',
  });
}
