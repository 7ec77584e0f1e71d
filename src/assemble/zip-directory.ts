import { MOST_FILES } from './byte-source.ts';

/** One file of a zip, as its central directory describes it. */
export interface ZipEntry {
  /** As written: relative, with slashes, no `..`, no backslash, unique in the archive. Folders end with a slash. */
  readonly name: string;
  readonly method: 'stored' | 'deflated';
  readonly crc32: number;
  readonly compressedSize: number;
  readonly size: number;
  /** Where the local header is. */
  readonly offset: number;
  /** Sizes and checksum stand behind the data, not in the local header. */
  readonly hasDescriptor: boolean;
  /** Permission bits from Unix, or undefined when the archive was made elsewhere. */
  readonly mode: number | undefined;
  /** Seconds since 1970, its date and time taken as UTC. */
  readonly mtime: number;
  readonly nameBytes: Uint8Array;
}

/** Where the central directory lies, from the records at the end of the archive. */
export interface ZipEnd {
  readonly entries: number;
  readonly offset: number;
  readonly size: number;
}

const ENTRY = 0x02014b50;
const END = 0x06054b50;
const END_64 = 0x06064b50;
const LOCATOR_64 = 0x07064b50;
const FULL_16 = 0xffff;
const FULL_32 = 0xffffffff;

/** The most bytes at the end of an archive in which its end records lie. */
export const ZIP_TAIL: number = 22 + FULL_16 + 20 + 56;

/**
 * Finds the central directory. `tail` is the end of an archive of `archiveSize` bytes: all of it or at least `ZIP_TAIL`.
 * Throws a plain Error when there is no end record, or the directory does not lie right before it.
 * Source: APPNOTE.TXT 6.3.10, 4.3.14 to 4.3.16. Zip64 records with an extensible data sector are refused.
 */
export function parseZipEnd(tail: Buffer, archiveSize: number): ZipEnd {
  const start = archiveSize - tail.length;
  const at = endRecordIn(tail);
  const locator = at - 20;
  const is64 = locator >= 0 && tail.readUInt32LE(locator) === LOCATOR_64;
  const end = is64 ? parseEnd64(tail, locator, start) : parseEnd(tail, at);
  const directoryEnd = start + (is64 ? locator - 56 : at);
  if (end.offset + end.size !== directoryEnd) throw new Error('its directory is not where it says');
  if (end.entries > MOST_FILES) throw new Error('it has too many files');
  return end;
}

function endRecordIn(tail: Buffer): number {
  for (let at = tail.length - 22; at >= 0 && at >= tail.length - 22 - FULL_16; at -= 1) {
    if (tail.readUInt32LE(at) === END && at + 22 + tail.readUInt16LE(at + 20) === tail.length) return at;
  }
  throw new Error('it is not a zip archive, or ends too early');
}

function parseEnd(tail: Buffer, at: number): ZipEnd {
  const entries = tail.readUInt16LE(at + 10);
  if (tail.readUInt32LE(at + 4) !== 0 || tail.readUInt16LE(at + 8) !== entries) throw new Error('it has several parts');
  return { entries, size: tail.readUInt32LE(at + 12), offset: tail.readUInt32LE(at + 16) };
}

function parseEnd64(tail: Buffer, locator: number, start: number): ZipEnd {
  const at = locator - 56;
  if (at < 0 || tail.readUInt32LE(at) !== END_64 || number64(tail, locator + 8) !== start + at) {
    throw new Error('its zip64 end record is malformed');
  }
  if (number64(tail, at + 4) !== 44) throw new Error('its zip64 end record has an unknown size');
  if (tail.readUInt32LE(at + 16) !== 0 || tail.readUInt32LE(at + 20) !== 0) throw new Error('it has several parts');
  return { entries: number64(tail, at + 32), size: number64(tail, at + 40), offset: number64(tail, at + 48) };
}

/**
 * The entries of a central directory, in its order. Throws a plain Error, naming the entry: malformed, encrypted, a
 * symbolic link or other special file, an unknown compression, a name that is absolute, leaves the folder, is not UTF-8,
 * or comes twice; or more than `most` bytes in all.
 */
export function parseZipDirectory(directory: Buffer, end: ZipEnd, most: number): readonly ZipEntry[] {
  const entries: ZipEntry[] = [];
  const names = new Set<string>();
  let offset = 0;
  let total = 0;
  while (entries.length < end.entries) {
    const [entry, next] = parseEntry(directory, offset);
    if (names.has(entry.name) || names.has(`${entry.name}/`)) throw new Error(`\`${entry.name}\` comes twice`);
    names.add(entry.name);
    entries.push(entry);
    total += entry.size;
    offset = next;
  }
  if (offset !== directory.length) throw new Error('its directory has a different number of files than it says');
  if (total > most) throw new Error('it unpacks to far too much');
  return entries;
}

function parseEntry(directory: Buffer, offset: number): readonly [ZipEntry, number] {
  if (offset + 46 > directory.length || directory.readUInt32LE(offset) !== ENTRY) {
    throw new Error('its directory is malformed');
  }
  const nameEnd = offset + 46 + directory.readUInt16LE(offset + 28);
  const extraEnd = nameEnd + directory.readUInt16LE(offset + 30);
  const next = extraEnd + directory.readUInt16LE(offset + 32);
  if (next > directory.length) throw new Error('its directory is malformed');
  const nameBytes = directory.subarray(offset + 46, nameEnd);
  const flags = directory.readUInt16LE(offset + 8);
  const name = parseName(nameBytes, flags);
  const sizes = parseSizes(directory.subarray(offset, nameEnd), directory.subarray(nameEnd, extraEnd), name);
  const entry: ZipEntry = {
    name,
    nameBytes,
    method: parseMethod(directory.readUInt16LE(offset + 10), name),
    crc32: directory.readUInt32LE(offset + 16),
    ...sizes,
    hasDescriptor: (flags & 8) !== 0,
    mode: parseMode(directory, offset, name),
    mtime: parseTime(directory.readUInt16LE(offset + 14), directory.readUInt16LE(offset + 12)),
  };
  return [checked(entry, flags), next];
}

function checked(entry: ZipEntry, flags: number): ZipEntry {
  const fault = (text: string): Error => new Error(`\`${entry.name}\` ${text}`);
  if ((flags & 0x2041) !== 0) throw fault('is encrypted');
  if (entry.name.endsWith('/') && entry.size > 0) throw fault('is a folder with content');
  if (entry.method === 'stored' && entry.size !== entry.compressedSize) throw fault('has two sizes');
  return entry;
}

function parseName(bytes: Uint8Array, flags: number): string {
  const text = Buffer.from(bytes).toString('latin1');
  const isPlain = /^[\x20-\x7e]*$/.test(text);
  if (!isPlain && (flags & 0x800) === 0) throw new Error(`the name \`${text}\` is neither ASCII nor marked as UTF-8`);
  const name = isPlain ? text : decodeUtf8(bytes, text);
  const parts = (name.endsWith('/') ? name.slice(0, -1) : name).split('/');
  const isBad = parts.some((part) => part === '' || part === '.' || part === '..' || Buffer.byteLength(part) > 255);
  if (isBad || name.length > 4000 || /[\\\p{Cc}]/u.test(name)) {
    throw new Error(`the name ${JSON.stringify(name)} is not acceptable`);
  }
  return name;
}

function decodeUtf8(bytes: Uint8Array, shown: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new Error(`the name \`${shown}\` is not UTF-8`);
  }
}

type Sizes = Pick<ZipEntry, 'size' | 'compressedSize' | 'offset'>;

/** The zip64 extra field holds, in this order, just those numbers that the fixed fields could not. */
function parseSizes(fixed: Buffer, extra: Buffer, name: string): Sizes {
  const wide = extraField(extra, 1, name);
  let at = 0;
  const widened = (value: number): number => {
    if (value !== FULL_32) return value;
    if (wide === undefined || at + 8 > wide.length) throw new Error(`\`${name}\` lacks its zip64 sizes`);
    at += 8;
    return number64(wide, at - 8);
  };
  const size = widened(fixed.readUInt32LE(24));
  const compressedSize = widened(fixed.readUInt32LE(20));
  const offset = widened(fixed.readUInt32LE(42));
  if (fixed.readUInt16LE(34) !== 0) throw new Error('it has several parts');
  return { size, compressedSize, offset };
}

function extraField(extra: Buffer, id: number, name: string): Buffer | undefined {
  let found: Buffer | undefined;
  for (let at = 0; at < extra.length;) {
    const end = at + 4 <= extra.length ? at + 4 + extra.readUInt16LE(at + 2) : Number.POSITIVE_INFINITY;
    if (end > extra.length) throw new Error(`\`${name}\` has a malformed extra field`);
    if (extra.readUInt16LE(at) === id) found ??= extra.subarray(at + 4, end);
    at = end;
  }
  return found;
}

function parseMethod(method: number, name: string): ZipEntry['method'] {
  if (method === 0) return 'stored';
  if (method === 8) return 'deflated';
  throw new Error(`\`${name}\` has the unknown compression ${method}`);
}

function parseMode(directory: Buffer, offset: number, name: string): number | undefined {
  const madeBy = directory.readUInt8(offset + 5);
  const mode = directory.readUInt16LE(offset + 40);
  const type = mode & 0o170000;
  if (type !== 0 && type !== 0o100000 && type !== 0o040000) throw new Error(`\`${name}\` is a link or special file`);
  return madeBy === 3 && mode !== 0 ? mode & 0o777 : undefined;
}

/** Source: the FAT file system's date and time, two-second steps since 1980. */
function parseTime(date: number, time: number): number {
  const day = Date.UTC(1980 + (date >> 9), ((date >> 5) & 15) - 1, date & 31);
  return day / 1000 + (time >> 11) * 3600 + ((time >> 5) & 63) * 60 + (time & 31) * 2;
}

function number64(bytes: Buffer, offset: number): number {
  const value = bytes.readBigUInt64LE(offset);
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new Error('it has a number far too large');
  return Number(value);
}
