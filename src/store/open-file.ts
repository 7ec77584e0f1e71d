import { createHash } from 'node:crypto';
import { constants, open, type FileHandle } from 'node:fs/promises';
import type { Digest } from '../base/digest.ts';
import type { ArtifactSource } from './artifacts.ts';

/** A file of the user's, open for reading anywhere; undefined when it is no regular file. Throws what the disk throws. */
export async function openRegularFile(path: string): Promise<ArtifactSource | undefined> {
  // A pipe that nobody writes would be waited for.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const status = await file.stat();
  if (status.isFile()) {
    return { size: status.size, read: (offset, length) => readRange(file, offset, length), close: () => file.close() };
  }
  await file.close();
  return undefined;
}

const READ_BYTES = 1024 ** 2;

export async function digestOfSource(
  { size, read }: Pick<ArtifactSource, 'size' | 'read'>,
  signal: AbortSignal,
): Promise<Digest> {
  const hash = createHash('sha256');
  for (let offset = 0; offset < size; offset += READ_BYTES) {
    signal.throwIfAborted();
    hash.update(await read(offset, Math.min(READ_BYTES, size - offset)));
  }
  return `sha256:${hash.digest('hex')}`;
}

async function readRange(file: FileHandle, offset: number, length: number): Promise<Uint8Array> {
  const bytes = Buffer.alloc(length);
  const { bytesRead } = await file.read(bytes, 0, length, offset);
  return bytes.subarray(0, bytesRead);
}
