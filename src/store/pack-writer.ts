import { createHash } from 'node:crypto';
import { readSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import type { ContentSink, ReadAt } from '../assemble/tree.ts';
import type { Digest } from '../base/digest.ts';
import type { ContentPlace } from './pack-index.ts';
import { diskError } from './store-error.ts';

export interface PackWriter {
  readonly sink: ContentSink;
  /** Writes what `format` makes of the places after the contents, and cuts the file there. */
  end(format: (places: ReadonlyMap<Digest, ContentPlace>) => Uint8Array): Promise<void>;
}

interface WriterState {
  readonly file: FileHandle;
  readonly home: string;
  readonly places: Map<Digest, ContentPlace>;
  readonly buffer: Buffer;
  /** Where in the file the buffer begins. */
  flushed: number;
  /** How much of the buffer is in use. */
  used: number;
  /** The write under way: contents never mix, even when a caller does not wait. */
  last: Promise<unknown>;
}

const BUFFER_BYTES = 1024 ** 2;

/** Writes contents one after another into the empty `file`; one that is already there takes no room again. */
export function createPackWriter(file: FileHandle, home: string): PackWriter {
  const state: WriterState = {
    file,
    home,
    places: new Map(),
    buffer: Buffer.allocUnsafe(BUFFER_BYTES),
    flushed: 0,
    used: 0,
    last: Promise.resolve(),
  };
  return {
    sink: {
      write: (chunks) => inTurn(state, () => writeContent(state, chunks)),
      inspect: (digest, look) => inTurn(state, () => inspectContent(state, digest, look)),
    },
    end: (format) => inTurn(state, () => endFile(state, format)),
  };
}

function inTurn<T>(state: WriterState, action: () => Promise<T>): Promise<T> {
  const turn = state.last.then(action);
  state.last = turn.catch(() => undefined);
  return turn;
}

async function writeContent(
  state: WriterState,
  chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<{ readonly digest: Digest; readonly size: number }> {
  const start = state.flushed + state.used;
  const hash = createHash('sha256');
  try {
    for await (const chunk of chunks) {
      hash.update(chunk);
      await append(state, chunk);
    }
  } catch (error) {
    rewind(state, start);
    throw error;
  }
  const digest: Digest = `sha256:${hash.digest('hex')}`;
  const size = state.flushed + state.used - start;
  if (state.places.has(digest)) rewind(state, start);
  else state.places.set(digest, { offset: start, size });
  return { digest, size };
}

async function inspectContent<T>(state: WriterState, digest: Digest, look: (readAt: ReadAt) => T): Promise<T> {
  const place = state.places.get(digest);
  if (place === undefined) throw new Error(`unreachable: ${digest} was never written`);
  await flush(state);
  return look((offset, length) => {
    const bytes = Buffer.allocUnsafe(length);
    if (offset < 0 || offset + length > place.size) throw new Error('unreachable: read beyond a content');
    const count = readSync(state.file.fd, bytes, 0, length, place.offset + offset);
    if (count !== length) throw new Error('unreachable: a content is shorter than it was written');
    return bytes;
  });
}

async function endFile(
  state: WriterState,
  format: (places: ReadonlyMap<Digest, ContentPlace>) => Uint8Array,
): Promise<void> {
  await append(state, format(state.places));
  await flush(state);
  await state.file.truncate(state.flushed);
}

async function append(state: WriterState, chunk: Uint8Array): Promise<void> {
  if (state.used + chunk.length > BUFFER_BYTES) await flush(state);
  if (chunk.length > BUFFER_BYTES) {
    await writeAll(state, chunk);
    return;
  }
  state.buffer.set(chunk, state.used);
  state.used += chunk.length;
}

async function flush(state: WriterState): Promise<void> {
  await writeAll(state, state.buffer.subarray(0, state.used));
  state.used = 0;
}

/** A full disk is named here: past `unpack`, nobody could tell it from a fault of the artifact. */
async function writeAll(state: WriterState, bytes: Uint8Array): Promise<void> {
  if (bytes.length === 0) return;
  try {
    const { bytesWritten } = await state.file.write(bytes, 0, bytes.length, state.flushed);
    state.flushed += bytesWritten;
    await writeAll(state, bytes.subarray(bytesWritten));
  } catch (error) {
    throw diskError(state.home, error) ?? error;
  }
}

/** The next content begins at `position`, over what was written from there on. */
function rewind(state: WriterState, position: number): void {
  state.used = Math.max(0, position - state.flushed);
  state.flushed = Math.min(state.flushed, position);
}
