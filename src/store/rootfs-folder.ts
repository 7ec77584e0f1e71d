import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { geteuid } from 'node:process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Contents, Tree } from '../assemble/tree.ts';
import { byteOrder } from '../base/byte-order.ts';
import { hexOf } from '../base/digest.ts';
import type { ImagePath } from '../base/image-path.ts';
import type { Progress } from '../base/progress.ts';
import { publish, withTemporary } from './durable-file.ts';
import type { Image } from './image-record.ts';
import { imageContents, readTree } from './images.ts';
import { withLock } from './kernel-lock.ts';
import { removeAll } from './leftovers.ts';
import { compareFolder } from './rootfs-comparison.ts';
import { selectPaths } from './rootfs-plan.ts';
import { onDisk } from './store-error.ts';
import { withStoreUse } from './store-use.ts';
import type { Store } from './store.ts';
import { writeTree } from './tree-writer.ts';

export interface MaterialiseOptions {
  readonly progress: Progress;
  readonly signal?: AbortSignal | undefined;
  /** Identifies the boot of this machine; left out, the kernel is asked. Empty: it cannot be known. */
  readonly boot?: string;
}

/**
 * The folder with the image's files, for a cell to enter; read-only by agreement. Made once, and not synced: waiting for
 * the disk took several times as long as making it. Its name says in which boot of the machine it was made. As long as that
 * lasts, what was written is what will be read, whoever was killed. After it, power may have failed before all was on the
 * disk: so the folder is compared with the image, and then gets its lasting name, or goes and is made anew.
 * Its top belongs to the user and has mode 0755; for root, entries have the owners that the image says. Only the store's
 * owner can reach it. Throws E_STORE_INVALID, E_ROOTFS_UNSAFE, E_DISK_FULL, E_CANCELLED.
 */
export async function materialiseRootfs(store: Store, image: Image, options: MaterialiseOptions): Promise<string> {
  const present = trustedFolder(store, image, options);
  if (present !== undefined) return present;
  const lock = { lock: `rootfs-${hexOf(image.diffId)}`, signal: options.signal };
  const make = (): Promise<string> =>
    withLock(store, lock, () =>
      onDisk(store.home, async () => {
        if (trustedFolder(store, image, options) === undefined) await judgeOlderFolders(store, image);
        return trustedFolder(store, image, options) ?? makeRootfs(store, image, options);
      }),
    );
  return withStoreUse(store, make, options);
}

/** Every folder that was laid out for the image, whether it can be trusted or not. */
export function rootfsFolders(store: Store, { diffId }: Image): readonly string[] {
  const hex = hexOf(diffId);
  const names = readdirSync(store.path('rootfs')).filter((name) => name === hex || name.startsWith(`${hex}.`));
  return names.toSorted(byteOrder).map((name) => store.path('rootfs', name));
}

/** The name of what is known to be on the disk. */
function lastingPath(store: Store, { diffId }: Image): string {
  return store.path('rootfs', hexOf(diffId));
}

function trustedFolder(store: Store, image: Image, { boot = bootOfMachine() }: MaterialiseOptions): string | undefined {
  const lasting = lastingPath(store, image);
  return [lasting, ...(boot === '' ? [] : [`${lasting}.${boot}`])].find((folder) => existsSync(folder));
}

/** Only where none can be trusted. That all of a folder was read back in a later boot shows that it is on the disk. */
async function judgeOlderFolders(store: Store, image: Image): Promise<void> {
  const folders = rootfsFolders(store, image);
  if (folders.length === 0 || existsSync(lastingPath(store, image))) return;
  const tree = await readTree(store, image);
  for (const folder of folders) {
    const faults = await compareFolder(folder, tree);
    if (faults.length > 0 || existsSync(lastingPath(store, image))) removeAll(folder);
    else await publish(folder, lastingPath(store, image));
  }
}

/** Differs after each start of the kernel; empty where it is not known. Source: random(4). */
function bootOfMachine(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
  } catch {
    return '';
  }
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
async function makeRootfs(store: Store, image: Image, options: MaterialiseOptions): Promise<string> {
  const { progress, boot = bootOfMachine() } = options;
  const lasting = lastingPath(store, image);
  const made = boot === '' ? lasting : `${lasting}.${boot}`;
  const tree = await readTree(store, image);
  progress({ kind: 'begin', step: 'store', title: `laying out ${image.name}`, total: amountOf(tree) });
  await withTemporary(store, async (guard) => {
    await mkdir(guard, { mode: 0o700 });
    const folder = join(guard, 'rootfs');
    await writeImageFiles(folder, tree, { store, image, ...options });
    if (boot === '') await syncFileSystem(folder);
    await publish(folder, made);
  });
  progress({ kind: 'end', step: 'store', summary: `${tree.size} files` });
  return made;
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
