import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { geteuid } from 'node:process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Contents, Tree } from '../assemble/tree.ts';
import { hexOf } from '../base/digest.ts';
import type { ImagePath } from '../base/image-path.ts';
import type { Progress } from '../base/progress.ts';
import { publish, withTemporary } from './durable-file.ts';
import type { Image } from './image-record.ts';
import { imageContents, readTree } from './images.ts';
import { withLock } from './kernel-lock.ts';
import { selectPaths } from './rootfs-plan.ts';
import { onDisk } from './store-error.ts';
import type { Store } from './store.ts';
import { writeTree } from './tree-writer.ts';

export interface MaterialiseOptions {
  readonly progress: Progress;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The folder with the image's files, for a cell to enter; made once in the life of a store, read-only by agreement.
 * Its top belongs to the user and has mode 0755; for root, entries have the owners that the image says. Only the store's
 * owner can reach it. Throws E_STORE_INVALID, E_ROOTFS_UNSAFE, E_DISK_FULL, E_CANCELLED.
 */
export async function materialiseRootfs(store: Store, image: Image, options: MaterialiseOptions): Promise<string> {
  const folder = rootfsPath(store, image);
  if (existsSync(folder)) return folder;
  const lock = { lock: `rootfs-${hexOf(image.diffId)}`, signal: options.signal };
  await withLock(store, lock, () =>
    onDisk(store.home, async () => {
      if (!existsSync(folder)) await makeRootfs(store, image, options);
    }),
  );
  return folder;
}

export function rootfsPath(store: Store, { diffId }: Image): string {
  return store.path('rootfs', hexOf(diffId));
}

export interface PathSelection {
  readonly tree: Tree;
  readonly paths: Iterable<ImagePath>;
  /** Absolute; does not exist yet, its parent does. */
  readonly folder: string;
}

/** Makes a folder of only some paths of a tree and the directories that lead to them, readable for every user. */
export async function materialisePaths(contents: Contents, { tree, paths, folder }: PathSelection): Promise<void> {
  await writeTree(selectPaths(tree, paths), { folder, contents, keepOwners: false });
}

/** A new folder that every user can read. It goes when the store is closed; after a crash, when the next process writes. */
export async function temporaryFolder(store: Store): Promise<string> {
  const folder = await store.temporaryPath();
  await mkdir(folder, { mode: 0o755 });
  return folder;
}

/** Made inside a folder that nobody else enters: images have directories that every user may write to. */
async function makeRootfs(store: Store, image: Image, options: MaterialiseOptions): Promise<void> {
  const { progress } = options;
  const tree = await readTree(store, image);
  progress({ kind: 'begin', step: 'store', title: `laying out ${image.name}`, total: amountOf(tree) });
  await withTemporary(store, async (guard) => {
    await mkdir(guard, { mode: 0o700 });
    const folder = join(guard, 'rootfs');
    await writeImageFiles(folder, tree, { store, image, ...options });
    await syncFileSystem(folder);
    await publish(folder, rootfsPath(store, image));
  });
  progress({ kind: 'end', step: 'store', summary: `${tree.size} files` });
}

interface ImageOptions extends MaterialiseOptions {
  readonly store: Store;
  readonly image: Image;
}

async function writeImageFiles(folder: string, tree: Tree, options: ImageOptions): Promise<void> {
  const contents = imageContents(options.store, options.image);
  let items = 0;
  let bytes = 0;
  const advance = (files: number, size: number): void => {
    items += files;
    bytes += size;
    options.progress({ kind: 'advance', step: 'store', done: { items, bytes } });
  };
  try {
    await writeTree(tree, { folder, contents, keepOwners: geteuid?.() === 0, signal: options.signal, advance });
  } finally {
    contents.close();
  }
}

function amountOf(tree: Tree): { readonly items: number; readonly bytes: number } {
  const files = [...tree.values()].filter((entry) => entry.kind === 'file');
  return { items: files.length, bytes: files.reduce((sum, { size }) => sum + size, 0) };
}

/** One syncfs(2), by way of coreutils: an fsync for each of ten thousand files takes far longer. */
async function syncFileSystem(folder: string): Promise<void> {
  await promisify(execFile)('sync', ['--file-system', folder]);
}
