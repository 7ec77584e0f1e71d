import { crc32 } from 'node:zlib';
import { byteOrder } from './byte-order.ts';

/** A file of a zip. */
export interface StoredFile {
  /** Relative, with slashes. */
  readonly path: string;
  readonly content: Uint8Array;
  readonly isExecutable: boolean;
}

/** The most files that an archive without zip64 records holds. */
const MOST_STORED_FILES = 65_535;

/** 1980-01-01, 00:00: the first moment that a zip can tell. */
const DATE = 0x21;
const VERSION = 20;
const UTF_8 = 0x800;
/** Made on Unix. */
const MADE_BY = (3 << 8) + VERSION;

/**
 * The one zip of these files: in byte order of path, uncompressed, dated 1980-01-01, so that equal files give equal bytes
 * with every zlib. Throws a plain Error for more than zip can tell without its 64-bit records.
 * Source: APPNOTE.TXT 6.3.10, 4.3.7 to 4.3.16.
 */
export function storedZip(files: readonly StoredFile[]): Uint8Array {
  if (files.length > MOST_STORED_FILES) throw new Error('it has too many files');
  const parts: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let offset = 0;
  for (const file of files.toSorted((a, b) => byteOrder(a.path, b.path))) {
    const name = Buffer.from(file.path, 'utf8');
    const facts = factsOf(file, name);
    parts.push(header(0x04034b50, facts), name, file.content);
    directory.push(directoryEntry(file, facts, offset), name);
    offset += facts.length + 4 + name.length + file.content.length;
    if (offset > 0xffffffff) throw new Error('it is too large');
  }
  const central = Buffer.concat(directory);
  return Buffer.concat([...parts, central, endRecord(files.length, central.length, offset)]);
}

/** What both headers say: from the version to the length of the extra field. */
function factsOf({ content }: StoredFile, name: Uint8Array): Buffer {
  const facts = Buffer.alloc(26);
  facts.writeUInt16LE(VERSION, 0);
  facts.writeUInt16LE(UTF_8, 2);
  facts.writeUInt16LE(DATE, 8);
  facts.writeUInt32LE(crc32(content), 10);
  facts.writeUInt32LE(content.length, 14);
  facts.writeUInt32LE(content.length, 18);
  facts.writeUInt16LE(name.length, 22);
  return facts;
}

function header(signature: number, rest: Uint8Array): Buffer {
  const start = Buffer.alloc(4);
  start.writeUInt32LE(signature);
  return Buffer.concat([start, rest]);
}

function directoryEntry({ isExecutable }: StoredFile, facts: Uint8Array, offset: number): Buffer {
  const madeBy = Buffer.alloc(2);
  madeBy.writeUInt16LE(MADE_BY);
  const rest = Buffer.alloc(14);
  rest.writeUInt32LE(((isExecutable ? 0o100755 : 0o100644) << 16) >>> 0, 6);
  rest.writeUInt32LE(offset, 10);
  return header(0x02014b50, Buffer.concat([madeBy, facts, rest]));
}

function endRecord(files: number, size: number, offset: number): Buffer {
  const end = Buffer.alloc(18);
  end.writeUInt16LE(files, 4);
  end.writeUInt16LE(files, 6);
  end.writeUInt32LE(size, 8);
  end.writeUInt32LE(offset, 12);
  return header(0x06054b50, end);
}
