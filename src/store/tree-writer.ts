import { createHash } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  futimesSync,
  lchownSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  openSync,
  symlinkSync,
  utimesSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { Contents, DirectoryEntry, FileEntry, SymlinkEntry, Tree } from '../assemble/tree.ts';
import { shortDigest } from '../base/digest.ts';
import { RootcellarError } from '../base/rootcellar-error.ts';
import { planRootfs } from './rootfs-plan.ts';
import type { RootfsPlan } from './rootfs-plan.ts';

export interface TreeDestination {
  /** An absolute path that does not exist; its parent does. */
  readonly folder: string;
  readonly contents: Contents;
  /** Whether entries get the owners that the tree says; otherwise all belong to the user. */
  readonly keepOwners: boolean;
  readonly signal?: AbortSignal | undefined;
  readonly advance?: ((files: number, bytes: number) => void) | undefined;
}

const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
const BATCH_FILES = 256;
const BATCH_BYTES = 16 * 1024 ** 2;

/**
 * Makes `tree` as a new folder: exact modes and times, contents checked by digest. Hostile trees are refused before the
 * first file, see `planRootfs`. On any error a part of it may be left; nothing outside the folder is touched.
 * Throws E_ROOTFS_UNSAFE, E_STORE_INVALID, E_CANCELLED.
 */
export async function writeTree(tree: Tree, destination: TreeDestination): Promise<void> {
  const plan = planRootfs(tree);
  const { folder } = destination;
  mkdirSync(folder, { mode: 0o700 });
  for (const { path } of plan.directories) mkdirSync(join(folder, path), { mode: 0o700 });
  await writeFiles(plan.files.values(), destination);
  for (const entry of plan.symlinks) makeSymlink(entry, destination);
  for (const { path, target } of plan.hardLinks) linkSync(join(folder, target), join(folder, path));
  finishDirectories(plan, destination);
}

/** Gives the event loop a turn after each batch, so that signals and progress get through. */
async function writeFiles(files: Iterator<FileEntry>, destination: TreeDestination): Promise<void> {
  let count = 0;
  let bytes = 0;
  while (count < BATCH_FILES && bytes < BATCH_BYTES) {
    const next = files.next();
    if (next.done === true) {
      destination.advance?.(count, bytes);
      return;
    }
    writeFile(next.value, destination);
    count += 1;
    bytes += next.value.size;
  }
  destination.advance?.(count, bytes);
  await setImmediate();
  if (destination.signal?.aborted === true) throw new RootcellarError('E_CANCELLED', 'the root filesystem: stopped');
  await writeFiles(files, destination);
}

function writeFile(entry: FileEntry, { folder, contents, keepOwners }: TreeDestination): void {
  const descriptor = openSync(join(folder, entry.path), NEW_FILE, 0o600);
  try {
    const hash = createHash('sha256');
    for (const chunk of contents.chunks(entry.digest, entry.size)) {
      hash.update(chunk);
      writeAll(descriptor, chunk);
    }
    if (`sha256:${hash.digest('hex')}` !== entry.digest) throw damagedContent(entry);
    if (keepOwners) fchownSync(descriptor, entry.uid, entry.gid);
    fchmodSync(descriptor, entry.mode);
    futimesSync(descriptor, entry.mtime, entry.mtime);
  } finally {
    closeSync(descriptor);
  }
}

function writeAll(descriptor: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length;) done += writeSync(descriptor, bytes, done, bytes.length - done);
}

function damagedContent({ path, digest }: FileEntry): RootcellarError {
  return new RootcellarError(
    'E_STORE_INVALID',
    `\`/${path}\`: its content ${shortDigest(digest)} is damaged in the store`,
    {
      hint: 'rootcellar verify',
    },
  );
}

function makeSymlink({ path, target, uid, gid, mtime }: SymlinkEntry, { folder, keepOwners }: TreeDestination): void {
  const link = join(folder, path);
  symlinkSync(target, link);
  if (keepOwners) lchownSync(link, uid, gid);
  lutimesSync(link, mtime, mtime);
}

/** Deepest first: what is made in a directory changes its time, and one without write permission takes nothing more. */
function finishDirectories({ directories }: RootfsPlan, { folder, keepOwners }: TreeDestination): void {
  for (const entry of directories.toReversed()) finishDirectory(join(folder, entry.path), entry, keepOwners);
  chmodSync(folder, 0o755);
}

function finishDirectory(path: string, { mode, uid, gid, mtime }: DirectoryEntry, keepOwners: boolean): void {
  if (keepOwners) chownSync(path, uid, gid);
  chmodSync(path, mode);
  utimesSync(path, mtime, mtime);
}
