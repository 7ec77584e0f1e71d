import { MOST_FILES, mostUnpacked } from '../assemble/byte-source.ts';
import type { ContentSink, Entry } from '../assemble/tree.ts';
import { RootcellarError } from '../base/rootcellar-error.ts';

/** What the layers of one image have come to so far. Throws E_ARTIFACT_INVALID as soon as that is too much. */
export interface LayerBudget {
  /** A layer of so many bytes, compressed or not, is unpacked from here on. Gives the sink for it, which counts. */
  readonly unpacking: (packedBytes: number, sink: ContentSink) => ContentSink;
  /** A layer that was unpacked before. */
  readonly present: (packedBytes: number, entries: readonly Entry[]) => void;
  /** Entries of a layer that was unpacked now. */
  readonly entries: (count: number) => void;
}

/**
 * Each layer is bounded when it is unpacked; this bounds all of an image together, as if they were one archive. `most`: what so
 * many bytes may unpack to.
 */
export function layerBudget(most: (packedBytes: number) => number = mostUnpacked): LayerBudget {
  let packed = 0;
  let unpacked = 0;
  let files = 0;
  const add = (bytes: number): void => {
    unpacked += bytes;
    if (unpacked > most(packed)) throw invalid('together they unpack to far too much');
  };
  const entries = (count: number): void => {
    files += count;
    if (files > MOST_FILES) throw invalid('together they have far too many files');
  };
  return {
    unpacking: (packedBytes, sink) => {
      packed += packedBytes;
      return { ...sink, write: (chunks) => sink.write(counted(chunks, add)) };
    },
    present: (packedBytes, known) => {
      packed += packedBytes;
      add(known.reduce((sum, entry) => sum + (entry.kind === 'file' ? entry.size : 0), 0));
      entries(known.length);
    },
    entries,
  };
}

async function* counted(
  chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  add: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    add(chunk.length);
    yield chunk;
  }
}

function invalid(fault: string): RootcellarError {
  return new RootcellarError('E_ARTIFACT_INVALID', `the layers of the image: ${fault}`, {
    hint: 'take another image, or make it again with less in it',
  });
}
