import type { Tree } from '../assemble/tree.ts';
import { parseArchitecture } from '../base/architecture.ts';
import type { Architecture } from '../base/architecture.ts';
import { canonicalJson } from '../base/canonical-json.ts';
import type { Json } from '../base/canonical-json.ts';
import { digestFromHex, digestOf, hexOf, isDigest } from '../base/digest.ts';
import type { Digest } from '../base/digest.ts';
import { decodeEntries, encodeEntries } from './entry-rows.ts';
import { jsonFrom, listFrom, numberFrom, recordFrom, textFrom } from './json-shape.ts';

/** One generation: an image under a name, for one architecture. */
export interface Image {
  readonly name: string;
  readonly architecture: Architecture;
  /** Its identity: sha256 of its tar. */
  readonly diffId: Digest;
  /** Bytes of its tar. */
  readonly size: number;
  /** Digest of everything that it was built from; equal inputs need no build. */
  readonly inputsKey: Digest;
  /** The unpacked artifacts that hold its contents. */
  readonly unpackedKeys: readonly Digest[];
  /** What the builder wants to be told when the image is used; opaque to the store. */
  readonly manifest: Json;
  /** Counts from 1 within its name and architecture. */
  readonly generation: number;
}

/** One line of JSON. */
export function formatImage(image: Image): string {
  return `${canonicalJson({ ...image })}\n`;
}

/** Throws a plain Error when `text` is not what `formatImage` writes. */
export function parseImage(text: string): Image {
  const value: unknown = JSON.parse(text);
  const record = recordFrom(value);
  const architecture = parseArchitecture(textFrom(record['architecture']));
  if (architecture === undefined) throw new Error('its architecture is unknown');
  return {
    name: textFrom(record['name']),
    architecture,
    diffId: digestFrom(record['diffId']),
    size: numberFrom(record['size']),
    inputsKey: digestFrom(record['inputsKey']),
    unpackedKeys: listFrom(record['unpackedKeys']).map(digestFrom),
    manifest: jsonFrom(record['manifest']),
    generation: numberFrom(record['generation']),
  };
}

/** Two lines: hex sha256 of the second, the entries. */
export function formatTree(tree: Tree): string {
  const entries = `${JSON.stringify(encodeEntries(tree.values()))}\n`;
  return `${hexOf(digestOf(entries))}\n${entries}`;
}

/** Throws a plain Error when `text` is not what `formatTree` writes. */
export function parseTree(text: string): Tree {
  const end = text.indexOf('\n');
  const entries = text.slice(end + 1);
  if (digestFromHex(text.slice(0, Math.max(0, end))) !== digestOf(entries)) throw new Error('its checksum is wrong');
  return new Map(decodeEntries(JSON.parse(entries)).map((entry) => [entry.path, entry]));
}

function digestFrom(value: unknown): Digest {
  const text = textFrom(value);
  if (!isDigest(text)) throw new Error('a digest is malformed');
  return text;
}
