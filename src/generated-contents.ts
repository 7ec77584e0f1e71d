import type { ContentSink } from './assemble/tree.ts';
import { byteOrder } from './base/byte-order.ts';
import type { Digest } from './base/digest.ts';
import { digestOf } from './base/digest.ts';
import { writeUnpacked } from './store/unpacked.ts';
import type { Store } from './store/store.ts';

/** The small files that a build writes itself, in memory until the tree is known to be good. */
export interface GeneratedContents {
  readonly sink: ContentSink;
  /** Puts them into the store; the result is the key to find them by. Equal contents have equal keys. */
  keep(store: Store): Promise<Digest>;
}

export function generatedContents(): GeneratedContents {
  const contents = new Map<Digest, Uint8Array>();
  return {
    sink: {
      write: async (chunks) => {
        const parts: Uint8Array[] = [];
        for await (const chunk of chunks) parts.push(Uint8Array.from(chunk));
        const content = Buffer.concat(parts);
        const digest = digestOf(content);
        contents.set(digest, content);
        return { digest, size: content.length };
      },
    },
    keep: (store) => keepContents(store, contents),
  };
}

async function keepContents(store: Store, contents: ReadonlyMap<Digest, Uint8Array>): Promise<Digest> {
  const sorted = [...contents].toSorted(([a], [b]) => byteOrder(a, b));
  const key = digestOf(sorted.map(([digest]) => digest).join('\n'));
  await writeUnpacked(store, key, async (sink) => {
    for (const [, content] of sorted) await sink.write([content]);
    return { entries: [], scripts: [], metadata: '' };
  });
  return key;
}
