import { byteOrder } from '../base/byte-order.ts';
import type { Digest } from '../base/digest.ts';
import { RootcellarError } from '../base/rootcellar-error.ts';
import { HOST_FILE_TIME } from '../resolve/epoch.ts';
import type { HostFile, HostPart } from '../resolve/resolution.ts';
import type { HostDisk, HostFileFacts } from './host-disk.ts';
import type { ContentSink, Entry, FileEntry, UnpackedArtifact } from './tree.ts';
import { mergedPath, mergedTarget } from './usr-merge.ts';

export type HostBytesSource = Pick<HostDisk, 'chunks'>;

export interface UnpackHostInput {
  readonly part: HostPart;
  /** Gives each file's bytes by its path on the machine that was locked, from wherever they are. */
  readonly disk: HostBytesSource;
  readonly sink: ContentSink;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Copies files of a host, so that they are like those of an unpacked package: for root, of one date, where a merged
 * system has them. Each must be as it was locked: E_HOST_CHANGED. Hard links become files of their own.
 */
export async function unpackHost(input: UnpackHostInput): Promise<UnpackedArtifact> {
  const entries: Entry[] = [];
  for (const file of input.part.files) {
    input.signal?.throwIfAborted();
    const entry = await entryOf(file, input);
    if (entry !== undefined) entries.push(entry);
  }
  return { entries: entries.toSorted((a, b) => byteOrder(a.path, b.path)), scripts: [], metadata: '' };
}

async function entryOf(file: HostFile, input: UnpackHostInput): Promise<Entry | undefined> {
  const own = file.path.slice(1);
  const facts = { path: mergedPath(own), uid: 0, gid: 0, mtime: HOST_FILE_TIME, origin: input.part.name };
  switch (file.kind) {
    case 'file':
      return await copyFile(file, facts, input);
    case 'link':
      return { kind: 'symlink', ...facts, mode: 0o777, target: mergedTarget(own, file.target) };
    case 'folder':
      return { kind: 'directory', ...facts, mode: 0o755 };
    case 'left_out':
      return undefined;
  }
}

async function copyFile(
  file: Extract<HostFile, { kind: 'file' }>,
  facts: Omit<FileEntry, 'kind' | 'mode' | 'size' | 'digest' | 'elf'>,
  { disk, sink }: UnpackHostInput,
): Promise<FileEntry> {
  const read: HostFileFacts[] = [];
  const { digest, size } = await sink.write(reading(disk, file.path, read));
  if (digest !== file.digest) throw hostChanged(file.path);
  const elf = read[0]?.elf;
  return { kind: 'file', ...facts, mode: file.mode, size, digest, ...(elf && { elf }) };
}

function* reading(disk: HostBytesSource, path: string, read: HostFileFacts[]): Generator<Uint8Array, void, undefined> {
  read.push(yield* disk.chunks(path));
}

/** The content at `name`, when it is the right one: E_HOST_CHANGED at its end if it is not. */
export function* checkedChunks(
  disk: HostBytesSource,
  { name, digest }: { readonly name: string; readonly digest: Digest },
): Generator<Uint8Array, void, undefined> {
  const read = yield* disk.chunks(name);
  if (read.digest !== digest) throw hostChanged(name);
}

function hostChanged(path: string): RootcellarError {
  return new RootcellarError('E_HOST_CHANGED', `\`${path}\`: has another content than was locked`, {
    hint: 'run `rootcellar lock RECIPE`',
  });
}
