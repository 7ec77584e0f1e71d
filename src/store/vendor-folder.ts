import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open, readdir, readFile, rm, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { byteOrder } from '../base/byte-order.ts';
import { hexOf } from '../base/digest.ts';
import { isErrno } from '../base/rootcellar-error.ts';
import type { Artifact } from '../resolve/resolution.ts';
import { artifactPath, hasArtifact } from './artifacts.ts';
import { publish, syncFolder, withTemporary } from './durable-file.ts';
import { withLock } from './kernel-lock.ts';
import { removePartial } from './partial-file.ts';
import { replaceAny } from './replace-file.ts';
import { damaged, onDisk } from './store-error.ts';
import type { Store } from './store.ts';
import {
  isVendoredName,
  VENDOR_INDEX,
  VENDOR_PLACES,
  vendorPaths,
  type Vendorable,
  type VendoredArtifact,
} from './vendor-names.ts';

/** What a vendor folder has of an artifact: its bytes, nothing, or something else under its name. */
export type VendoredState =
  | { readonly kind: 'sound' | 'missing' }
  | { readonly kind: 'wrong'; readonly path: string; readonly fault: string };

/**
 * Brings an artifact from a vendor folder into the store; it is checked on the way. Nothing in the folder is believed, and
 * whatever lies there can at most be refused. Throws E_DISK_FULL, E_STORE_INVALID, and the signal's reason.
 */
export async function takeVendored(
  folder: string,
  artifact: Artifact,
  { store, signal }: { readonly store: Store; readonly signal: AbortSignal },
): Promise<VendoredState> {
  const { digest, size } = artifact;
  return withLock(store, { lock: `artifact-${hexOf(digest)}`, signal }, async () => {
    if (await hasArtifact(store, digest, size)) return { kind: 'sound' };
    return firstSound(folder, artifact, (file) =>
      onDisk(store.home, () =>
        withTemporary(store, async (temporary) => {
          const fault = await writeCopy(temporary, { file, artifact, signal });
          if (fault !== undefined) return fault;
          await publish(temporary, artifactPath(store, digest));
          await removePartial(store, digest);
          return undefined;
        }),
      ),
    );
  });
}

/** Looks whether the folder has the artifact at `path`, and reads all of it. */
export async function checkVendored(
  folder: string,
  { artifact, path }: VendoredArtifact,
  signal: AbortSignal,
): Promise<VendoredState> {
  return withVendored(join(folder, path), (file) => copyFault({ file, artifact, signal }));
}

/** Puts an artifact of the store into the folder, in place of what is there. At any instant it is whole or not there. */
export async function putVendored(
  folder: string,
  { artifact, path }: Pick<VendoredArtifact, 'path'> & { readonly artifact: Artifact },
  { store, signal }: { readonly store: Store; readonly signal: AbortSignal },
): Promise<void> {
  const source = artifactPath(store, artifact.digest);
  const file = await open(source, 'r');
  try {
    await replaceAny(join(folder, path), async (temporary) => {
      const fault = await writeCopy(temporary, { file, artifact, signal });
      if (fault !== undefined) throw damaged(source, fault);
    });
  } finally {
    await file.close();
  }
}

const VENDOR_KINDS = ['deb', 'wheel', 'host'] as const satisfies readonly Vendorable['kind'][];

/** What is in the folder under a name that an artifact could have, by path from the folder, in byte order. */
export async function listVendored(folder: string): Promise<readonly string[]> {
  const found = await Promise.all(
    VENDOR_KINDS.map(async (kind) => {
      const { folder: place } = VENDOR_PLACES[kind];
      const entries = await readdir(join(folder, place), { withFileTypes: true }).catch(emptyWhenMissing);
      const names = entries.filter((entry) => entry.isFile() && isVendoredName(kind, entry.name));
      return names.map(({ name }) => `${place}/${name}`);
    }),
  );
  return [...new Set(found.flat())].toSorted(byteOrder);
}

/** Removes a file, for good. */
export async function removeVendored(folder: string, path: string): Promise<void> {
  await rm(join(folder, path), { force: true });
  syncFolder(dirname(join(folder, path)));
}

/**
 * Writes `SHA256SUMS`: `added`, and what it said before of other files that are still there. Does nothing when it says so
 * already.
 */
export async function writeVendorIndex(folder: string, added: readonly VendoredArtifact[]): Promise<void> {
  const path = join(folder, VENDOR_INDEX);
  const present = new Set(await listVendored(folder));
  const before = await readFile(path, 'utf8').catch(undefinedWhenMissing);
  const listed = [...(before ?? '').matchAll(/^([0-9a-f]{64}) {2}(\S+)$/gm)]
    .map(([, hex = '', name = '']): [string, string] => [name, hex])
    .filter(([name]) => present.has(name));
  const sums = new Map([
    ...listed,
    ...added.map(({ artifact, path: name }) => [name, hexOf(artifact.digest)] as const),
  ]);
  const text = [...sums]
    .toSorted(([a], [b]) => byteOrder(a, b))
    .map(([name, hex]) => `${hex}  ${name}\n`)
    .join('');
  if (text === before) return;
  await replaceAny(path, async (temporary) => {
    const file = await open(temporary, 'wx', 0o644);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
  });
}

interface Copy {
  readonly file: FileHandle;
  readonly artifact: Vendorable;
  readonly signal: AbortSignal;
}

const READ_BYTES = 512 * 1024;

/** The first name under which the right bytes lie; else what is wrong with the first that is there. */
async function firstSound(
  folder: string,
  artifact: Artifact,
  take: (file: FileHandle) => Promise<string | undefined>,
): Promise<VendoredState> {
  let first: VendoredState = { kind: 'missing' };
  for (const path of vendorPaths(artifact)) {
    const state = await withVendored(join(folder, path), take);
    if (state.kind === 'sound') return state;
    if (first.kind === 'missing') first = state;
  }
  return first;
}

/** Opened without waiting: a pipe or a device under that name must not hold us up. */
async function withVendored(
  path: string,
  take: (file: FileHandle) => Promise<string | undefined>,
): Promise<VendoredState> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY).catch(missingOrFault);
  if (file === undefined) return { kind: 'missing' };
  if (typeof file === 'string') return { kind: 'wrong', path, fault: file };
  try {
    const fault = (await file.stat()).isFile() ? await take(file) : 'is no regular file';
    return fault === undefined ? { kind: 'sound' } : { kind: 'wrong', path, fault };
  } finally {
    await file.close();
  }
}

function missingOrFault(error: unknown): string | undefined {
  if (isErrno(error, 'EACCES') || isErrno(error, 'EPERM')) return 'may not be read by this user';
  if (isErrno(error, 'ELOOP')) return 'is a link that leads in a circle';
  if (isErrno(error, 'ENXIO')) return 'is no regular file';
  if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) return undefined;
  throw error;
}

/** Reads the file, into `target` too where there is one; undefined when it is the artifact. */
async function copyFault({ file, artifact, signal }: Copy, target?: FileHandle): Promise<string | undefined> {
  const { size } = await file.stat();
  if (size !== artifact.size) return `has ${size} bytes, not ${artifact.size}`;
  const hash = createHash('sha256');
  const end = Math.max(0, size - 1);
  const chunks = file.createReadStream({ start: 0, end, highWaterMark: READ_BYTES, autoClose: false });
  for await (const chunk of chunks) {
    signal.throwIfAborted();
    if (!Buffer.isBuffer(chunk)) throw new Error('unreachable: a chunk of text');
    hash.update(chunk);
    await target?.writeFile(chunk);
  }
  return `sha256:${hash.digest('hex')}` === artifact.digest ? undefined : 'has other bytes than the lockfile promises';
}

async function writeCopy(path: string, copy: Copy): Promise<string | undefined> {
  const target = await open(path, 'wx', 0o644);
  try {
    const fault = await copyFault(copy, target);
    if (fault === undefined) await target.sync();
    return fault;
  } finally {
    await target.close();
  }
}

function emptyWhenMissing(error: unknown): [] {
  if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) return [];
  throw error;
}

function undefinedWhenMissing(error: unknown): undefined {
  if (!isErrno(error, 'ENOENT')) throw error;
}
