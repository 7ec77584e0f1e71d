import type { ByteReader } from './byte-reader.ts';
import { LARGEST_ARCHIVE, LARGEST_FILE, MOST_FILES, blaming, invalidArtifact } from './byte-source.ts';
import { BLOCK, isZeroBlock, parsePaxRecords, parseTarBlock, tarText, type TarBlock } from './tar-block.ts';

/** One member of a tar, with names as they are written there. */
export interface TarMember {
  readonly kind: 'file' | 'directory' | 'symlink' | 'hardlink' | 'device';
  readonly name: string;
  /** Of a symbolic or hard link. */
  readonly target: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Whole seconds since 1970. */
  readonly mtime: number;
  /** Empty for everything but a file. */
  readonly content: Uint8Array;
}

/** A member whose content is read as it comes. */
export interface StreamedMember extends Omit<TarMember, 'content'> {
  readonly size: number;
  /** To be read at most once, and before the next member is asked for. A chunk is valid until the next one is asked for. */
  readonly chunks: () => AsyncIterable<Uint8Array>;
}

const LARGEST_HEADER = 1024 * 1024;
/** Tars are padded to whole records, by default of 10 KiB. */
const LARGEST_PADDING = 1024 * 1024;
const NONE = new Uint8Array(0);

const KINDS: ReadonlyMap<string, TarMember['kind']> = new Map([
  ['0', 'file'],
  ['7', 'file'],
  ['1', 'hardlink'],
  ['2', 'symlink'],
  ['3', 'device'],
  ['4', 'device'],
  ['5', 'directory'],
  ['6', 'device'],
]);

/**
 * The members of a tar with their contents, as `streamedMembers` gives them; at most `most` bytes in all, and no file
 * larger than `LARGEST_FILE`.
 */
export async function* tarMembers(
  bytes: ByteReader,
  archive: string,
  most: number = LARGEST_ARCHIVE,
): AsyncGenerator<TarMember> {
  for await (const { size, chunks, ...member } of streamedMembers(bytes, { archive, most })) {
    if (size > LARGEST_FILE) throw invalidArtifact(archive, `\`${member.name}\` is too large`);
    const pieces: Uint8Array[] = [];
    for await (const piece of chunks()) pieces.push(piece);
    yield { ...member, content: pieces.length === 1 ? (pieces[0] ?? NONE) : Buffer.concat(pieces) };
  }
}

export interface TarLimits {
  /** Its name, for errors. */
  readonly archive: string;
  /** How many bytes there may be in all. */
  readonly most: number;
}

/**
 * The members of a tar in its own order; FIFOs count as devices.
 * E_ARTIFACT_INVALID: truncated, malformed, not UTF-8, sparse, of a type that is none of the kinds, without its end
 * marker, with data behind that, or larger than any package (`most`, `MOST_FILES`).
 */
export async function* streamedMembers(
  bytes: ByteReader,
  { archive, most }: TarLimits,
): AsyncGenerator<StreamedMember> {
  let names: LongNames = new Map();
  let count = 0;
  for await (const block of bytes.blocks(BLOCK)) {
    if (block.length < BLOCK) break;
    if (isZeroBlock(block)) return await expectEnd(bytes, archive);
    count += 1;
    if (count > MOST_FILES || bytes.produced > most) {
      throw invalidArtifact(archive, 'it unpacks to far too much');
    }
    const header = blaming(archive, () => parseTarBlock(block));
    if ('LKxg'.includes(header.type)) {
      names = await readLongNames(header, names, { bytes, archive });
      continue;
    }
    const member = blaming(archive, () => memberOf(header, names));
    if (member.size > most) throw invalidArtifact(archive, 'it unpacks to far too much');
    const content = contentOf(member.size, { bytes, archive });
    yield { ...member, chunks: () => content };
    // What nobody has read is passed over; then comes the padding.
    for await (const piece of content) if (piece.length === 0) break;
    names = new Map();
  }
  throw invalidArtifact(archive, 'it ends too early');
}

type LongNames = ReadonlyMap<string, string>;
type Input = { readonly bytes: ByteReader; readonly archive: string };
type Unread = Omit<StreamedMember, 'chunks'>;

async function readLongNames(header: TarBlock, names: LongNames, { bytes, archive }: Input): Promise<LongNames> {
  if (header.size > LARGEST_HEADER) throw invalidArtifact(archive, 'a header is too large');
  const content = await takePadded(bytes, header.size, archive);
  return blaming(archive, () => {
    if (header.type === 'L') return new Map([...names, ['path', tarText(content)]]);
    if (header.type === 'K') return new Map([...names, ['linkpath', tarText(content)]]);
    const records = parsePaxRecords(content);
    if (header.type === 'x') return new Map([...names, ...records]);
    const odd = ['path', 'linkpath', 'size'].find((key) => records.has(key));
    if (odd !== undefined) throw new Error(`a global pax header sets \`${odd}\``);
    return names;
  });
}

function memberOf(header: TarBlock, names: LongNames): Unread {
  const name = names.get('path') ?? header.name;
  if ([...names.keys()].some((key) => key.startsWith('GNU.sparse'))) throw new Error(`\`${name}\` is sparse`);
  const kind = header.type === '0' && name.endsWith('/') ? 'directory' : KINDS.get(header.type);
  if (kind === undefined) throw new Error(`\`${name}\` has the unknown type \`${header.type}\``);
  const size = numberOf(names, 'size') ?? header.size;
  if (kind !== 'file' && size > 0) throw new Error(`\`${name}\` is a ${kind} with content`);
  return {
    kind,
    name,
    target: names.get('linkpath') ?? header.linkName,
    mode: header.mode,
    uid: numberOf(names, 'uid') ?? header.uid,
    gid: numberOf(names, 'gid') ?? header.gid,
    mtime: numberOf(names, 'mtime') ?? header.mtime,
    size,
  };
}

/** A number of a pax header, its fraction cut off. */
function numberOf(names: LongNames, key: string): number | undefined {
  const text = names.get(key);
  if (text === undefined) return undefined;
  const value = /^\d{1,15}(?:\.\d*)?$/.test(text) ? Math.floor(Number(text)) : Number.NaN;
  if (Number.isNaN(value)) throw new Error(`a pax header has the ${key} \`${text}\``);
  return value;
}

/** Goes on where it was left: to stop reading does not close it. */
function contentOf(size: number, { bytes, archive }: Input): AsyncIterable<Uint8Array> {
  let left = size;
  let padding = (BLOCK - (size % BLOCK)) % BLOCK;
  const next = async (): Promise<IteratorResult<Uint8Array, undefined>> => {
    if (left === 0) {
      await takeExactly(bytes, padding, archive);
      padding = 0;
      return { done: true, value: undefined };
    }
    const value = await bytes.takeSome(left);
    if (value.length === 0) throw invalidArtifact(archive, 'it ends too early');
    left -= value.length;
    return { done: false, value };
  };
  return { [Symbol.asyncIterator]: () => ({ next }) };
}

async function takePadded(bytes: ByteReader, size: number, archive: string): Promise<Uint8Array> {
  const content = await takeExactly(bytes, size, archive);
  await takeExactly(bytes, (BLOCK - (size % BLOCK)) % BLOCK, archive);
  return content;
}

async function takeExactly(bytes: ByteReader, length: number, archive: string): Promise<Uint8Array> {
  const taken = await bytes.take(length);
  if (taken.length < length) throw invalidArtifact(archive, 'it ends too early');
  return taken;
}

/** Reads on to the end, so that a compressor's own check of the whole has been made. */
async function expectEnd(bytes: ByteReader, archive: string): Promise<void> {
  let padding = 0;
  for await (const piece of bytes.rest()) {
    padding += piece.length;
    if (padding > LARGEST_PADDING || !isZeroBlock(piece))
      throw invalidArtifact(archive, 'there is data behind its end');
  }
}
