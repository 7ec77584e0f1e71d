import { lstatSync, type Stats } from 'node:fs';
import { isErrno, RootcellarError } from '../base/rootcellar-error.ts';
import type { Store } from './store.ts';

/** Something in a store that is not as it must be. */
export interface StoreFault {
  readonly path: string;
  readonly message: string;
  /**
   * What mends it: `remove` it, so that a build makes it anew; `build` the image again, of which a part is missing; `move`
   * it away, because nobody knows whose it is.
   */
  readonly remedy: 'remove' | 'build' | 'move';
}

/** One thing in a folder of the store, and what was found wrong before it was its turn. */
export interface StoreItem {
  readonly store: Store;
  readonly path: string;
  readonly name: string;
  readonly earlier: readonly StoreFault[];
}

/** The fault that `action` throws as E_STORE_INVALID or, for a text that cannot be read, as a plain Error. */
export async function faultsOf(path: string, action: () => Promise<void>): Promise<readonly StoreFault[]> {
  try {
    await action();
    return [];
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    if (!(error instanceof Error) || 'errno' in error) throw error;
    const message = error instanceof RootcellarError ? error.message : `\`${path}\`: ${error.message}`;
    return [{ path, message, remedy: 'remove' }];
  }
}

/** Something that nothing of ours makes there. */
export function stray({ path }: Pick<StoreItem, 'path'>): readonly StoreFault[] {
  return [{ path, message: `\`${path}\`: is nothing that a store has`, remedy: 'move' }];
}

/** Undefined when it is gone. */
export function statusOf(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}
