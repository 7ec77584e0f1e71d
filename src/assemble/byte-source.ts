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

/** The most that one file in an archive may hold: it is kept in memory while it is unpacked. */
export const LARGEST_FILE: number = 2 * 1024 ** 3 - 1;

/** The most that one archive may unpack to, and the most files. Beyond is a bomb. */
export const LARGEST_ARCHIVE: number = 8 * 1024 ** 3;
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

/** A source of bytes that are in memory already. */
export function memorySource(bytes: Uint8Array): ByteSource {
  return {
    size: bytes.length,
    read: (offset, length) => Promise.resolve(bytes.subarray(offset, offset + length)),
  };
}
