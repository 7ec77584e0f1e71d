import type { Architecture } from '../base/architecture.ts';
import { RootcellarError } from '../base/rootcellar-error.ts';
import type { Image } from './image-record.ts';
import { listGenerations, missingFile, notFound, readCurrent } from './images.ts';
import { withLock } from './kernel-lock.ts';
import { linkCurrent, linkInputs } from './put-image.ts';
import { damaged, onDisk } from './store-error.ts';
import type { Store } from './store.ts';

export interface SwitchRequest {
  readonly name: string;
  readonly architecture: Architecture;
  /** The generation to make current; undefined: the newest of those before the current one. */
  readonly to: number | undefined;
}

export interface Switched {
  readonly from: Image;
  /** Is current now; the same as `from` where that was asked for. */
  readonly to: Image;
}

/**
 * Makes another generation current, in one step; nothing is built. Throws E_IMAGE_NOT_FOUND when nothing has the name,
 * E_GENERATION_NOT_FOUND when it has no such generation or none before, E_STORE_INVALID when files of it are missing.
 */
export async function switchGeneration(store: Store, request: SwitchRequest): Promise<Switched> {
  const { name, architecture } = request;
  return withLock(store, `name-${name}-${architecture}`, () =>
    onDisk(store.home, async () => {
      const from = await readCurrent(store, name, architecture);
      if (from === undefined) throw await notFound(store, name, architecture);
      const to = chosen(await listGenerations(store, name, architecture), from, request);
      const missing = missingFile(store, to);
      if (missing !== undefined) throw damaged(missing, 'is missing');
      await linkCurrent(store, to);
      await linkInputs(store, to);
      return { from, to };
    }),
  );
}

function chosen(all: readonly Image[], from: Image, { name, to }: SwitchRequest): Image {
  const found =
    to === undefined
      ? all.findLast(({ generation }) => generation < from.generation)
      : all.find(({ generation }) => generation === to);
  if (found !== undefined) return found;
  const what = to === undefined ? `none before ${from.generation}, which is current` : `no generation ${to}`;
  throw new RootcellarError('E_GENERATION_NOT_FOUND', `image \`${name}\`: has ${what}`, {
    hint: `rootcellar images ${name} --generations`,
  });
}
