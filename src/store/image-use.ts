import { closeSync, existsSync, openSync } from 'node:fs';
import { hexOf, type Digest } from '../base/digest.ts';
import { isErrno } from '../base/rootcellar-error.ts';
import { isSameFile, lockDescriptor } from './flock.ts';
import type { Image } from './image-record.ts';
import { onDisk } from './store-error.ts';
import { withStoreUse, type UseOptions } from './store-use.ts';
import type { Store } from './store.ts';

/** The file that stands for an image. Whoever uses the image shares its lock, whoever removes the image has it alone. */
function usePath(store: Store, diffId: Digest): string {
  return store.path('uses', hexOf(diffId));
}

/** The same, made when it is missing; undefined where nothing can be made, nor removed, since the disk is read-only. */
export function useFile(store: Store, { diffId }: Pick<Image, 'diffId'>): string | undefined {
  const path = usePath(store, diffId);
  if (existsSync(path)) return path;
  try {
    closeSync(openSync(path, 'a', 0o600));
    return path;
  } catch (error) {
    if (isErrno(error, 'EROFS')) return undefined;
    throw error;
  }
}

/** Keeps the image from being removed, until the result is called. */
export async function holdImage(
  store: Store,
  image: Pick<Image, 'diffId'>,
  options: UseOptions = {},
): Promise<() => void> {
  const share = async (): Promise<number | undefined> => {
    const path = useFile(store, image);
    return path === undefined ? undefined : shareLock(path);
  };
  const descriptor = await withStoreUse(store, () => onDisk(store.home, share), options);
  return () => {
    if (descriptor !== undefined) closeSync(descriptor);
  };
}

async function shareLock(path: string): Promise<number> {
  const descriptor = openSync(path, 'r');
  try {
    await lockDescriptor(descriptor, { isShared: true, wait: true });
    return descriptor;
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

/** Nobody uses an image, and nobody can begin to. Is to be closed by `letGo`. */
export interface ImageHold {
  readonly diffId: Digest;
  /** Undefined: only looked at, and there was no file. */
  readonly descriptor: number | undefined;
}

/** Undefined when somebody uses the image. With `isLook` nothing is made. */
export async function takeAlone(
  store: Store,
  diffId: Digest,
  { isLook }: { readonly isLook: boolean },
): Promise<ImageHold | undefined> {
  const path = usePath(store, diffId);
  if (isLook && !existsSync(path)) return { diffId, descriptor: undefined };
  const descriptor = openSync(path, 'a', 0o600);
  try {
    const isTaken = (await lockDescriptor(descriptor, { wait: false })) && isSameFile(descriptor, path);
    if (isTaken) return { diffId, descriptor };
    closeSync(descriptor);
    return undefined;
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

export function letGo({ descriptor }: ImageHold): void {
  if (descriptor !== undefined) closeSync(descriptor);
}
