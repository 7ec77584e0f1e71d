import type { Tree } from '../assemble/tree.ts';
import type { Digest } from '../base/digest.ts';
import { RootcellarError } from '../base/rootcellar-error.ts';
import { readTree } from './images.ts';
import type { Store } from './store.ts';

/**
 * The tree that the store has of the image with this identity: one that was built here knows besides where its files come from.
 * Undefined where there is none, or a damaged one, which may be replaced.
 */
export async function knownTree(store: Store, diffId: Digest): Promise<Tree | undefined> {
  try {
    return await readTree(store, { diffId });
  } catch (error) {
    if (error instanceof RootcellarError && error.code === 'E_STORE_INVALID') return undefined;
    throw error;
  }
}
