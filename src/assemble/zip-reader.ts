import { promisify } from 'node:util';
import { crc32, inflateRaw, type InputType, type ZlibOptions } from 'node:zlib';
import { blaming, invalidArtifact, type ByteSource } from './byte-source.ts';
import { ZIP_TAIL, parseZipDirectory, parseZipEnd, type ZipEntry } from './zip-directory.ts';

/** A zip whose directory has been read and checked. */
export interface ZipArchive {
  /** In the order of the directory. */
  readonly entries: readonly ZipEntry[];
  /** For errors. */
  readonly archive: string;
  readonly source: ByteSource;
  /** Where the next entry begins, by entry. */
  readonly limits: ReadonlyMap<ZipEntry, number>;
}

interface Inflated {
  readonly buffer: Buffer;
  readonly engine: { readonly bytesWritten: number };
}

const LOCAL_HEADER = 30;
const LOCAL = 0x04034b50;
const LARGEST_DIRECTORY = 256 * 1024 * 1024;

// With `info` the callback gets more than @types/node says.
const inflate: (data: InputType, options: ZlibOptions) => Promise<unknown> = promisify(inflateRaw);

/**
 * Reads the directory of a zip. E_ARTIFACT_INVALID: malformed or hostile, as `parseZipEnd` and
 * `parseZipDirectory` say.
 */
export async function openZip(source: ByteSource, archive: string): Promise<ZipArchive> {
  const tailSize = Math.min(source.size, ZIP_TAIL);
  const tail = Buffer.from(await source.read(source.size - tailSize, tailSize));
  const end = blaming(archive, () => parseZipEnd(tail, source.size));
  if (end.size > LARGEST_DIRECTORY) throw invalidArtifact(archive, 'its directory is too large');
  const directory = Buffer.from(await source.read(end.offset, end.size));
  const entries = blaming(archive, () => parseZipDirectory(directory, end));
  return { entries, archive, source, limits: limitsOf(entries, end.offset) };
}

/**
 * The content of an entry. E_ARTIFACT_INVALID when it overlaps another, its local header tells another story than
 * the directory, or the data do not have the size and the checksum that both promise.
 */
export async function readZipEntry(zip: ZipArchive, entry: ZipEntry): Promise<Uint8Array> {
  const { archive } = zip;
  const data = await readData(zip, entry);
  const content = entry.method === 'stored' ? data : await inflated(data, entry, archive);
  if (content.length !== entry.size) throw invalidArtifact(archive, `\`${entry.name}\` has not the size it says`);
  if (crc32(content) !== entry.crc32) throw invalidArtifact(archive, `\`${entry.name}\` has not the checksum it says`);
  return content;
}

function limitsOf(entries: readonly ZipEntry[], directory: number): ReadonlyMap<ZipEntry, number> {
  const limits = new Map<ZipEntry, number>();
  let limit = directory;
  for (const entry of entries.toSorted((a, b) => b.offset - a.offset)) {
    limits.set(entry, limit);
    limit = entry.offset;
  }
  return limits;
}

/** Files that share bytes are how small archives unpack to huge ones, and how two readers see two archives. */
async function readData({ source, archive, limits }: ZipArchive, entry: ZipEntry): Promise<Uint8Array> {
  const headerSize = LOCAL_HEADER + entry.nameBytes.length;
  const limit = limits.get(entry) ?? 0;
  const overlap = invalidArtifact(archive, `\`${entry.name}\` overlaps what comes after it`);
  if (entry.offset + headerSize + entry.compressedSize > limit) throw overlap;
  const header = Buffer.from(await source.read(entry.offset, headerSize));
  if (!agrees(header, entry)) {
    throw invalidArtifact(archive, `the header of \`${entry.name}\` does not agree with the directory`);
  }
  const start = entry.offset + headerSize + header.readUInt16LE(28);
  if (start + entry.compressedSize > limit) throw overlap;
  return await source.read(start, entry.compressedSize);
}

function agrees(header: Buffer, entry: ZipEntry): boolean {
  const descriptor = (header.readUInt16LE(6) & 8) !== 0;
  const method = header.readUInt16LE(8) === 0 ? 'stored' : 'deflated';
  const name = header.subarray(LOCAL_HEADER, LOCAL_HEADER + entry.nameBytes.length);
  const same =
    header.readUInt32LE(0) === LOCAL &&
    descriptor === entry.hasDescriptor &&
    method === entry.method &&
    header.readUInt16LE(26) === entry.nameBytes.length &&
    name.equals(entry.nameBytes);
  return same && (descriptor || hasSameNumbers(header, entry));
}

/** A size of all ones stands for one in the zip64 field, which only the directory's is read of. */
function hasSameNumbers(header: Buffer, entry: ZipEntry): boolean {
  return (
    header.readUInt32LE(14) === entry.crc32 &&
    isSame(header.readUInt32LE(18), entry.compressedSize) &&
    isSame(header.readUInt32LE(22), entry.size)
  );
}

function isSame(written: number, size: number): boolean {
  return written === size || written === 0xffffffff;
}

async function inflated(data: Uint8Array, entry: ZipEntry, archive: string): Promise<Uint8Array> {
  let result: unknown;
  try {
    result = await inflate(data, { maxOutputLength: Math.max(1, entry.size), info: true });
  } catch (error) {
    throw invalidArtifact(archive, `\`${entry.name}\` is damaged`, error);
  }
  if (!isInflated(result)) throw new Error('unreachable: zlib gives no info');
  // Data behind the end of the deflate stream would be seen by some readers and not by others.
  if (result.engine.bytesWritten !== data.length)
    throw invalidArtifact(archive, `\`${entry.name}\` has data behind its end`);
  return result.buffer;
}

function isInflated(result: unknown): result is Inflated {
  return typeof result === 'object' && result !== null && 'buffer' in result && 'engine' in result;
}
