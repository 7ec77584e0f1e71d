import type { UnpackedArtifact } from '../assemble/tree.ts';
import { digestFromHex, digestOf, hexOf } from '../base/digest.ts';
import type { Digest } from '../base/digest.ts';
import { decodeEntries, encodeEntries } from './entry-rows.ts';
import { digestFromText, listFrom, numberFrom, recordFrom, textFrom, textsFrom } from './json-shape.ts';

/** An unpacked artifact as its file in the store has it: contents one after another, then this index, then a footer. */
export interface PackIndex {
  readonly artifact: UnpackedArtifact;
  readonly places: ReadonlyMap<Digest, ContentPlace>;
}

/** Where a content is in its pack, in bytes. */
export interface ContentPlace {
  readonly offset: number;
  readonly size: number;
}

export interface PackFooter {
  readonly indexLength: number;
  readonly indexDigest: Digest;
}

/** Of version 1 no row of an entry has the number of its content; rows tell that by themselves. */
const FOOTER = /^RCPK[12] (\d{16}) ([0-9a-f]{64})\n$/;
export const FOOTER_BYTES = 88;

/** The index and the footer, as they end the file. */
export function formatPackEnd({ artifact, places }: PackIndex): Uint8Array {
  const numbers = new Map(Array.from(places.keys(), (digest, number) => [digest, number]));
  const index = Buffer.from(
    JSON.stringify({
      contents: Array.from(places, ([digest, { offset, size }]) => [hexOf(digest), offset, size]),
      entries: encodeEntries(artifact.entries, numbers),
      metadata: artifact.metadata,
      scripts: artifact.scripts,
    }),
  );
  const footer = `RCPK2 ${String(index.length).padStart(16, '0')} ${hexOf(digestOf(index))}\n`;
  return Buffer.concat([index, Buffer.from(footer)]);
}

/** Undefined when `bytes` are no footer. */
export function parsePackFooter(bytes: Uint8Array): PackFooter | undefined {
  const [, length, hex] = FOOTER.exec(Buffer.from(bytes).toString('latin1')) ?? [];
  const indexDigest = digestFromHex(hex ?? '');
  return indexDigest === undefined ? undefined : { indexLength: Number(length), indexDigest };
}

/** Throws a plain Error when `bytes` are not the index that `footer` promises. */
export function parsePackIndex(bytes: Uint8Array, footer: PackFooter): PackIndex {
  if (digestOf(bytes) !== footer.indexDigest) throw new Error('its checksum is wrong');
  const index = recordFrom(JSON.parse(Buffer.from(bytes).toString('utf8')));
  const contents = listFrom(index['contents']).map((row) => placeFrom(listFrom(row)));
  return {
    artifact: {
      entries: decodeEntries(index['entries'], contents),
      scripts: textsFrom(index['scripts']),
      metadata: textFrom(index['metadata']),
    },
    places: new Map(contents.map(({ digest, offset, size }) => [digest, { offset, size }])),
  };
}

function placeFrom([hex, offset, size]: readonly unknown[]): ContentPlace & { readonly digest: Digest } {
  return { digest: digestFromText(hex), offset: numberFrom(offset), size: numberFrom(size) };
}
