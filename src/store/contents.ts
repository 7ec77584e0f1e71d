import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import type { Contents } from '../assemble/tree.ts';
import { shortDigest } from '../base/digest.ts';
import type { Digest } from '../base/digest.ts';
import { RootcellarError } from '../base/rootcellar-error.ts';
import { damaged } from './store-error.ts';
import type { Store } from './store.ts';
import { packPath, readPackIndex } from './unpacked.ts';

/** The contents of some unpacked artifacts. Holds their files open until it is closed. */
export interface OpenContents extends Contents {
  close(): void;
}

export interface ContentsOptions {
  /** Whether each content is checked against its digest as it is read; off where the caller does so itself. */
  readonly verify?: boolean;
}

interface Pack {
  readonly path: string;
  readonly descriptor: number;
  /** A part of the file that was read ahead: small contents lie in the order in which they are asked for. */
  readonly window: Buffer;
  windowStart: number;
  windowLength: number;
  /** Where the last content that was asked for ended. */
  end: number;
}

interface StoredContent {
  readonly pack: Pack;
  readonly offset: number;
  readonly size: number;
}

const WINDOW_BYTES = 64 * 1024;
const CHUNK_BYTES = 512 * 1024;

/** Throws E_STORE_INVALID when an artifact of `keys` is not there. */
export function openContents(store: Store, keys: readonly Digest[], options: ContentsOptions = {}): OpenContents {
  const packs: Pack[] = [];
  const close = (): void => {
    for (const { descriptor } of packs.splice(0)) closeSync(descriptor);
  };
  try {
    const stored = new Map<Digest, StoredContent>();
    for (const key of keys) packs.push(openPack(store, key, stored));
    const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
    const chunks = (digest: Digest, size: number): Iterable<Uint8Array> => {
      const content = contentOf(stored, { store, digest, size });
      const parts = readParts(content, buffer);
      return options.verify === true ? verified(parts, digest, content) : parts;
    };
    return { chunks, close };
  } catch (error) {
    close();
    throw error;
  }
}

function openPack(store: Store, key: Digest, stored: Map<Digest, StoredContent>): Pack {
  const path = packPath(store, key);
  const index = readPackIndex(store, key);
  if (index === undefined) throw damaged(path, 'is missing');
  const pack: Pack = {
    path,
    descriptor: openSync(path, 'r'),
    window: Buffer.allocUnsafe(WINDOW_BYTES),
    windowStart: 0,
    windowLength: 0,
    end: 0,
  };
  for (const [digest, { offset, size }] of index.places) stored.set(digest, { pack, offset, size });
  return pack;
}

interface ContentRequest {
  readonly store: Store;
  readonly digest: Digest;
  readonly size: number;
}

function contentOf(stored: ReadonlyMap<Digest, StoredContent>, { store, digest, size }: ContentRequest): StoredContent {
  const content = stored.get(digest);
  if (content !== undefined && content.size === size) return content;
  const fault = content === undefined ? 'is missing' : `has ${content.size} bytes, not ${size}`;
  throw new RootcellarError('E_STORE_INVALID', `store \`${store.home}\`: content ${shortDigest(digest)} ${fault}`, {
    hint: `rm -rf '${store.path('unpacked')}'/*, then build, load or pull the image again`,
  });
}

function* readParts(content: StoredContent, buffer: Buffer): Generator<Uint8Array, void, undefined> {
  const { pack, offset, size } = content;
  if (size <= WINDOW_BYTES) {
    if (size > 0) yield readSmall(content, buffer);
    pack.end = offset + size;
    return;
  }
  for (let done = 0; done < size; done += CHUNK_BYTES) {
    const part = buffer.subarray(0, Math.min(CHUNK_BYTES, size - done));
    readFully(pack, part, offset + done);
    yield part;
  }
  pack.end = offset + size;
}

/** Reads ahead only where contents are asked for in about the order in which they lie. */
function readSmall({ pack, offset, size }: StoredContent, buffer: Buffer): Uint8Array {
  const isAhead = offset >= pack.end && offset - pack.end < WINDOW_BYTES;
  if (!isInWindow(pack, offset, size)) {
    if (!isAhead) {
      const part = buffer.subarray(0, size);
      readFully(pack, part, offset);
      return part;
    }
    pack.windowLength = readSync(pack.descriptor, pack.window, 0, WINDOW_BYTES, offset);
    pack.windowStart = offset;
    if (pack.windowLength < size) throw damaged(pack.path, 'is too short');
  }
  return pack.window.subarray(offset - pack.windowStart, offset - pack.windowStart + size);
}

function isInWindow({ windowStart, windowLength }: Pack, offset: number, size: number): boolean {
  return offset >= windowStart && offset + size <= windowStart + windowLength;
}

function readFully(pack: Pack, target: Uint8Array, offset: number): void {
  if (readSync(pack.descriptor, target, 0, target.length, offset) !== target.length) {
    throw damaged(pack.path, 'is too short');
  }
}

function* verified(
  parts: Iterable<Uint8Array>,
  digest: Digest,
  { pack }: StoredContent,
): Generator<Uint8Array, void, undefined> {
  const hash = createHash('sha256');
  for (const part of parts) {
    hash.update(part);
    yield part;
  }
  if (`sha256:${hash.digest('hex')}` !== digest) throw damaged(pack.path, `content ${shortDigest(digest)} is damaged`);
}
