import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { hexOf } from '../base/digest.ts';
import type { Digest } from '../base/digest.ts';
import { isErrno } from '../base/rootcellar-error.ts';
import { damaged } from './store-error.ts';
import type { Store } from './store.ts';

/** An artifact's bytes, open for reading anywhere. */
export interface ArtifactSource {
  readonly size: number;
  /** Up to `length` bytes from `offset` on; fewer only at the end. */
  read(offset: number, length: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

export function artifactPath(store: Store, digest: Digest): string {
  return store.path('artifacts', hexOf(digest));
}

/** Bytes of the artifact; undefined when it is not there. Synchronous: a hundred of these take less than a millisecond. */
export function storedSize(store: Store, digest: Digest): number | undefined {
  return statSync(artifactPath(store, digest), { throwIfNoEntry: false })?.size;
}

/** Whether the artifact is there in its full size. Its bytes were checked when it came; `verifyArtifact` does so again. */
export async function hasArtifact(store: Store, digest: Digest, size: number): Promise<boolean> {
  try {
    const status = await stat(artifactPath(store, digest));
    return status.isFile() && status.size === size;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return false;
    throw error;
  }
}

/** Throws E_STORE_INVALID when it is not there. */
export async function openArtifact(store: Store, digest: Digest): Promise<ArtifactSource> {
  const path = artifactPath(store, digest);
  const file = await openOrReport(path);
  const { size } = await file.stat();
  const read = async (offset: number, length: number): Promise<Uint8Array> => {
    const bytes = Buffer.allocUnsafe(Math.max(0, Math.min(length, size - offset)));
    if (bytes.length === 0) return bytes;
    const { bytesRead } = await file.read(bytes, 0, bytes.length, offset);
    if (bytesRead !== bytes.length) throw damaged(path, 'is too short');
    return bytes;
  };
  return { size, read, close: () => file.close() };
}

/**
 * Reads the artifact and checks its digest: to be done before it is unpacked, once in the life of a store.
 * Throws E_STORE_INVALID when it is missing or has other bytes.
 */
export async function verifyArtifact(store: Store, digest: Digest): Promise<void> {
  const path = artifactPath(store, digest);
  const file = await openOrReport(path);
  const hash = createHash('sha256');
  for await (const chunk of file.createReadStream({ highWaterMark: READ_BYTES })) hash.update(chunk);
  if (`sha256:${hash.digest('hex')}` !== digest) throw damaged(path, 'does not have the bytes that its name promises');
}

const READ_BYTES = 512 * 1024;

async function openOrReport(path: string): Promise<Awaited<ReturnType<typeof open>>> {
  try {
    return await open(path, 'r');
  } catch (error) {
    if (isErrno(error, 'ENOENT')) throw damaged(path, 'is missing', error);
    throw error;
  }
}
