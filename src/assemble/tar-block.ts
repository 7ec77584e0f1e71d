/** Size of a tar block; headers take one, contents are padded to whole ones. */
export const BLOCK = 512;

/** One header block as it stands, before long names are applied to it. */
export interface TarBlock {
  /** The type flag as a character; `0` for the NUL of old archives. */
  readonly type: string;
  readonly name: string;
  readonly linkName: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: number;
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export function isZeroBlock(block: Uint8Array): boolean {
  return block.every((byte) => byte === 0);
}

/**
 * Reads a header block of a ustar, pax, GNU or old archive; throws a plain Error that says what is wrong with it.
 * Source: POSIX.1-2017, pax, "ustar Interchange Format"; tar.info of GNU tar, "Basic Tar Format".
 */
export function parseTarBlock(block: Uint8Array): TarBlock {
  if (checksumOf(block) !== numberAt(block, 148, 8)) throw new Error('the checksum of a header does not match');
  const prefix = ascii(block, 257, 263) === 'ustar\0' ? textAt(block, 345, 155) : '';
  const name = textAt(block, 0, 100);
  return {
    type: String.fromCharCode(block[156] ?? 0).replace('\0', '0'),
    name: prefix === '' ? name : `${prefix}/${name}`,
    linkName: textAt(block, 157, 100),
    mode: numberAt(block, 100, 8),
    uid: numberAt(block, 108, 8),
    gid: numberAt(block, 116, 8),
    size: numberAt(block, 124, 12),
    mtime: numberAt(block, 136, 12),
  };
}

/** UTF-8 text up to the first NUL. Throws a plain Error when it is not UTF-8. */
export function tarText(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  const text = end < 0 ? bytes : bytes.subarray(0, end);
  try {
    return UTF8.decode(text);
  } catch {
    throw new Error(`the name \`${Buffer.from(text).toString('latin1')}\` is not UTF-8`);
  }
}

/** The records of a pax header. Throws a plain Error when it is malformed. Source: POSIX.1-2017, pax, "pax Header Block". */
export function parsePaxRecords(bytes: Uint8Array): ReadonlyMap<string, string> {
  const records = new Map<string, string>();
  for (let offset = 0; offset < bytes.length;) {
    const space = bytes.indexOf(0x20, offset);
    const length = space < 0 ? '' : ascii(bytes, offset, Math.min(space, offset + 8));
    const end = /^[1-9]\d*$/.test(length) ? offset + Number(length) : 0;
    const equals = bytes.indexOf(0x3d, space);
    if (end <= space || end > bytes.length || bytes[end - 1] !== 0x0a || equals < 0 || equals >= end) {
      throw new Error('a pax header is malformed');
    }
    const value = bytes.subarray(equals + 1, end - 1);
    // Extended attributes may hold any bytes; nothing reads them.
    const key = tarText(bytes.subarray(space + 1, equals));
    records.set(key, key.includes('xattr') ? '' : paxText(value));
    offset = end;
  }
  return records;
}

function paxText(value: Uint8Array): string {
  if (value.includes(0)) throw new Error('a pax header has a NUL in a value');
  return tarText(value);
}

function textAt(block: Uint8Array, offset: number, length: number): string {
  return tarText(block.subarray(offset, offset + length));
}

/** Octal digits, or base 256 when the first byte's top bit is set, as GNU tar writes what octal cannot hold. */
function numberAt(block: Uint8Array, offset: number, length: number): number {
  const first = block[offset] ?? 0;
  if (first >= 0x80) return base256(block.subarray(offset, offset + length));
  const digits = /^ *([0-7]*)[ \0]*$/.exec(ascii(block, offset, offset + length));
  if (digits === null) throw new Error('a header has a number that is not octal');
  return digits[1] === '' ? 0 : Number.parseInt(digits[1] ?? '', 8);
}

function base256(bytes: Uint8Array): number {
  let value = (bytes[0] ?? 0) & 0x7f;
  for (const byte of bytes.subarray(1)) value = value * 256 + byte;
  if (!Number.isSafeInteger(value)) throw new Error('a header has a negative or far too large number');
  return value;
}

/** The sum of all bytes, those of the checksum field itself counted as spaces. */
function checksumOf(block: Uint8Array): number {
  let sum = 8 * 0x20;
  for (let index = 0; index < BLOCK; index += 1) {
    if (index < 148 || index >= 156) sum += block[index] ?? 0;
  }
  return sum;
}

function ascii(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1');
}
