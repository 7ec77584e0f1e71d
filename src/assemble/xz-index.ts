import { piecesOf, type ByteRange, type ByteSource } from './byte-source.ts';

const HEADER = 12;
const FOOTER = 12;
const LARGEST_INDEX = 1024 * 1024;

/** Kinds of check: CRC32 and CRC64. */
const READABLE_CHECKS: ReadonlySet<number> = new Set([1, 4]);

/**
 * Whether the decoder that we bring with us can read the `.xz` data in `range`: it reads the first stream only and leaves
 * out others in silence, and it refuses checks like SHA-256. By header and index; false also for what is no such data.
 * Source: "The .xz File Format", sections 2.1.1, 2.1.2 and 4; observed with xz-decompress 0.2.3.
 */
export async function isPlainXz(source: ByteSource, range: ByteRange): Promise<boolean> {
  if (range.length < HEADER + FOOTER) return false;
  const header = await source.read(range.offset, HEADER);
  if (!READABLE_CHECKS.has(header[7] ?? 0)) return false;
  const end = range.offset + range.length;
  const footer = Buffer.from(await source.read(end - FOOTER, FOOTER));
  const indexSize = (footer.readUInt32LE(4) + 1) * 4;
  if (footer.toString('latin1', 10) !== 'YZ' || indexSize > Math.min(LARGEST_INDEX, range.length)) return false;
  const pieces: Uint8Array[] = [];
  for await (const piece of piecesOf(source, {
    offset: Math.max(range.offset, end - FOOTER - indexSize),
    length: indexSize,
  })) {
    pieces.push(piece);
  }
  const blocks = sizeOfBlocks(Buffer.concat(pieces));
  return blocks !== undefined && HEADER + blocks + indexSize + FOOTER === range.length;
}

function sizeOfBlocks(index: Buffer): number | undefined {
  const numbers = varints(index.subarray(1, -4));
  const count = numbers.next().value;
  if (index[0] !== 0 || count === undefined || count * 2 > index.length) return undefined;
  let size = 0;
  for (let block = 0; block < count; block += 1) {
    const unpadded = numbers.next().value;
    const uncompressed = numbers.next().value;
    if (unpadded === undefined || uncompressed === undefined) return undefined;
    size += Math.ceil(unpadded / 4) * 4;
  }
  return size;
}

function* varints(bytes: Uint8Array): Generator<number, undefined> {
  let value = 0;
  let factor = 1;
  for (const byte of bytes) {
    value += (byte & 0x7f) * factor;
    factor *= 128;
    if (byte < 0x80) {
      yield value;
      value = 0;
      factor = 1;
    }
  }
  return undefined;
}
