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
 * The members of a tar in its own order; FIFOs count as devices. `archive` is the name for errors.
 * E_ARTIFACT_INVALID: truncated, malformed, not UTF-8, sparse, of a type that is none of the kinds, without its end
 * marker, with data behind that, or larger than any package (`LARGEST_FILE`, `LARGEST_ARCHIVE`, `MOST_FILES`).
 */
export async function* tarMembers(bytes: ByteReader, archive: string): AsyncGenerator<TarMember> {
  let names: LongNames = new Map();
  let count = 0;
  for await (const block of bytes.blocks(BLOCK)) {
    if (block.length < BLOCK) break;
    if (isZeroBlock(block)) return await expectEnd(bytes, archive);
    count += 1;
    if (count > MOST_FILES || bytes.produced > LARGEST_ARCHIVE) {
      throw invalidArtifact(archive, 'it unpacks to far too much');
    }
    const header = blaming(archive, () => parseTarBlock(block));
    if ('LKxg'.includes(header.type)) {
      names = await readLongNames(header, names, { bytes, archive });
      continue;
    }
    const member = blaming(archive, () => memberOf(header, names));
    yield { ...member, content: await readContent(member, { bytes, archive }) };
    names = new Map();
  }
  throw invalidArtifact(archive, 'it ends too early');
}

type LongNames = ReadonlyMap<string, string>;
type Input = { readonly bytes: ByteReader; readonly archive: string };
type Unread = Omit<TarMember, 'content'> & { readonly size: number };

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
  if (size > LARGEST_FILE) throw new Error(`\`${name}\` is too large`);
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

async function readContent(member: Unread, { bytes, archive }: Input): Promise<Uint8Array> {
  return member.size === 0 ? NONE : await takePadded(bytes, member.size, archive);
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
