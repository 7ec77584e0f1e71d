import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { crc32, createInflateRaw, inflateRaw, type InputType, type ZlibOptions } from 'node:zlib';
import { RootcellarError } from '../base/rootcellar-error.ts';
import {
  blaming,
  invalidArtifact,
  LARGE_FILE,
  LARGEST_FILE,
  mostUnpacked,
  piecesOf,
  type ByteRange,
  type ByteSource,
} from './byte-source.ts';
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

const INFLATED_BYTES = 256 * 1024;
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
  const entries = blaming(archive, () => parseZipDirectory(directory, end, mostUnpacked(source.size)));
  return { entries, archive, source, limits: limitsOf(entries, end.offset) };
}

/** Whether an entry is to be read by `zipEntryChunks`: in memory it would take more than there should be of anything. */
export function isLargeEntry({ size, compressedSize }: ZipEntry): boolean {
  return Math.max(size, compressedSize) > LARGE_FILE;
}

/** The content of an entry in chunks, as `readZipEntry` gives it: only when it ends well is it what it says. */
export async function* zipEntryChunks(zip: ZipArchive, entry: ZipEntry): AsyncGenerator<Uint8Array> {
  const { archive, source } = zip;
  const range = { offset: await dataStart(zip, entry), length: entry.compressedSize };
  const chunks = entry.method === 'stored' ? piecesOf(source, range) : inflatedChunks(source, range);
  let size = 0;
  let checksum = 0;
  try {
    for await (const chunk of chunks) {
      size += chunk.length;
      if (size > entry.size) break;
      checksum = crc32(chunk, checksum);
      yield chunk;
    }
  } catch (error) {
    if (error instanceof RootcellarError || (error instanceof Error && 'syscall' in error)) throw error;
    throw invalidArtifact(archive, `\`${entry.name}\` is damaged`, error);
  }
  if (size !== entry.size) throw invalidArtifact(archive, `\`${entry.name}\` has not the size it says`);
  if (checksum !== entry.crc32) throw invalidArtifact(archive, `\`${entry.name}\` has not the checksum it says`);
}

async function* inflatedChunks(source: ByteSource, range: ByteRange): AsyncGenerator<Uint8Array> {
  const engine = createInflateRaw({ chunkSize: INFLATED_BYTES });
  const input = Readable.from(piecesOf(source, range), { objectMode: false });
  input.on('error', (error) => engine.destroy(error));
  try {
    yield* input.pipe(engine);
  } finally {
    input.destroy();
  }
  if (engine.bytesWritten !== range.length) throw new Error('it has data behind its end');
}

/**
 * The content of an entry. E_ARTIFACT_INVALID when it overlaps another, its local header tells another story than
 * the directory, or the data do not have the size and the checksum that both promise.
 */
export async function readZipEntry(zip: ZipArchive, entry: ZipEntry): Promise<Uint8Array> {
  const { archive } = zip;
  if (Math.max(entry.size, entry.compressedSize) > LARGEST_FILE) {
    throw invalidArtifact(archive, `\`${entry.name}\` is too large`);
  }
  const data = await zip.source.read(await dataStart(zip, entry), entry.compressedSize);
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
async function dataStart({ source, archive, limits }: ZipArchive, entry: ZipEntry): Promise<number> {
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
  return start;
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
