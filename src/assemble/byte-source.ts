import { RootcellarError } from '../base/rootcellar-error.ts';

/** The bytes of an archive, in any order. A port: `store/` has one. */
export interface ByteSource {
  readonly size: number;
  /** The `length` bytes from `offset`. Asked only for ranges inside `size`. The result is the caller's to keep. */
  read(offset: number, length: number): Promise<Uint8Array>;
}

/** A stretch of a source. */
export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

/** The fault of a malformed or hostile archive. `archive` is its file name. */
export function invalidArtifact(archive: string, fault: string, cause?: unknown): RootcellarError {
  return new RootcellarError('E_ARTIFACT_INVALID', `${archive}: ${fault}`, {
    hint: /\.(?:deb|whl)$/.test(archive) ? 'rootcellar lock RECIPE --upgrade' : `tar -tvf ${archive}`,
    cause,
  });
}

/** What `parse` returns; a plain Error that it throws becomes the fault of `archive`. */
export function blaming<T>(archive: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (error instanceof RootcellarError) throw error;
    throw invalidArtifact(archive, error instanceof Error ? error.message : String(error), error);
  }
}

/** The most that a file may hold which is taken into memory whole. */
export const LARGEST_FILE: number = 2 * 1024 ** 3 - 1;

/** Files that hold more than this go from an archive to where they are kept without ever being in memory whole. */
export const LARGE_FILE: number = 2 * 1024 ** 2;

/** What any archive may unpack to, and the most files. Beyond is a bomb. */
export const LARGEST_ARCHIVE: number = 8 * 1024 ** 3;
/** Real packages shrink to a third, and at the most to a tenth: one that is large itself may unpack to more. */
const LARGEST_RATIO = 20;

/** The most that an archive of `size` bytes may unpack to. */
export function mostUnpacked(size: number): number {
  return Math.max(LARGEST_ARCHIVE, LARGEST_RATIO * size);
}

export const MOST_FILES = 500_000;

const PIECE = 1024 * 1024;

/**
 * The bytes of `range` in order, in pieces of at most 1 MiB; each is read when it is asked for. `range` must lie inside
 * the source.
 */
export async function* piecesOf(source: ByteSource, range: ByteRange): AsyncGenerator<Uint8Array> {
  const starts = Array.from({ length: Math.ceil(range.length / PIECE) }, (_, index) => index * PIECE);
  for (const start of starts) {
    yield await source.read(range.offset + start, Math.min(PIECE, range.length - start));
  }
}

/** All of a content that holds `size` bytes, which are few. */
export async function wholeOf(chunks: AsyncIterable<Uint8Array>, size: number): Promise<Buffer> {
  const content = Buffer.allocUnsafe(size);
  let filled = 0;
  for await (const chunk of chunks) {
    content.set(chunk, filled);
    filled += chunk.length;
  }
  return content;
}

/** A source of bytes that are in memory already. */
export function memorySource(bytes: Uint8Array): ByteSource {
  return {
    size: bytes.length,
    read: (offset, length) => Promise.resolve(bytes.subarray(offset, offset + length)),
  };
}
