import { open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { membersOf } from '../assemble/tar-reader.ts';
import { linkTarget, parseImagePath } from '../base/image-path.ts';
import { openRegularFile } from '../store/open-file.ts';
import type { NamedFiles } from './local-source.ts';

export interface ArchiveInput {
  /** Absolute path of a tar, compressed or not. */
  readonly path: string;
  /** A folder that is there, empty, and nobody else's. */
  readonly folder: string;
  readonly signal: AbortSignal;
}

/**
 * Unpacks the files of an archive under names of our own; undefined when it is none of an image: a root file system, say.
 * Throws E_ARTIFACT_INVALID.
 */
export async function archiveFiles({ path, folder, signal }: ArchiveInput): Promise<NamedFiles | undefined> {
  const source = await openRegularFile(path);
  if (source === undefined) return undefined;
  const files = new Map<string, string>();
  const links = new Map<string, string>();
  try {
    for await (const member of membersOf({ source, name: path })) {
      signal.throwIfAborted();
      const name = parseImagePath(member.name);
      if (name === undefined || name === '' || member.kind === 'directory') continue;
      // A root file system has none of these names at its top.
      if (!isOfImage(name)) return undefined;
      if (member.kind === 'symlink') links.set(name, linkTarget(name, member.target));
      if (member.kind === 'hardlink') links.set(name, parseImagePath(member.target) ?? '');
      if (member.kind !== 'file') continue;
      const file = join(folder, `${files.size}`);
      await writeChunks(file, member.chunks());
      files.set(name, file);
    }
  } finally {
    await source.close();
  }
  const pathOf = (name: string): string | undefined => files.get(name) ?? files.get(links.get(name) ?? '');
  const isImage = pathOf('index.json') !== undefined || pathOf('manifest.json') !== undefined;
  return isImage ? { title: `\`${path}\``, pathOf } : undefined;
}

/** `blobs/`, the documents at the top, and in older archives of docker a folder for each layer, named by digits. */
function isOfImage(name: string): boolean {
  return /^(?:blobs\/|index\.json$|oci-layout$|manifest\.json$|repositories$|(?:sha256:)?[0-9a-f]{12,64}(?:[./]|$))/.test(
    name,
  );
}

async function writeChunks(path: string, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    for await (const chunk of chunks) await writeAll(file, chunk);
  } finally {
    await file.close();
  }
}

async function writeAll(file: FileHandle, chunk: Uint8Array): Promise<void> {
  const { bytesWritten } = await file.write(chunk);
  if (bytesWritten < chunk.length) await writeAll(file, chunk.subarray(bytesWritten));
}
