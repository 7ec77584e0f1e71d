import { RootcellarError } from '../base/rootcellar-error.ts';

export const BLOCK = 512;

/** One member of a tar as its header tells it. */
export interface TarMember {
  /** Byte for byte as it shall stand in the tar: folders end in a slash. */
  readonly path: string;
  readonly type: 'file' | 'hardlink' | 'symlink' | 'directory';
  /** Of the content that follows; 0 for everything but files. */
  readonly size: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: number;
  /** Target of a link, empty for others. */
  readonly link: string;
}

/** Name of every pax member; it says nothing of the process or of the file. */
const PAX_NAME = '././@PaxHeader';
const TYPE_FLAGS = { file: 0x30, hardlink: 0x31, symlink: 0x32, directory: 0x35 } as const;
const PAX_FLAG = 0x78;

const NAME_BYTES = 100;
const PREFIX_BYTES = 155;
const LARGEST_ID = 0o7777777;
const LARGEST_NUMBER = 8 ** 11 - 1;

/** The most bytes that `writeHeader` can write: two headers and the pax records of two paths of 4 KiB and three numbers. */
export const LARGEST_HEADER: number = 24 * BLOCK;

/**
 * Writes the header of `member` at `offset` of `target`, with a pax header before it where ustar cannot hold it.
 * Returns the number of bytes written, a multiple of 512 and at most LARGEST_HEADER, for which there must be room.
 * Throws E_ARTIFACT_INVALID for what no tar can hold exactly.
 * Source: POSIX.1-2017, pax, "ustar Interchange Format" and "pax Extended Header".
 */
export function writeHeader(target: Buffer, offset: number, member: TarMember): number {
  checkMember(member);
  const path = splitUstarPath(member.path);
  const records = paxRecords(member, path !== undefined);
  let position = offset;
  if (records !== '') position += writePax(target, position, { member, records });
  writeBlock(target, position, {
    ...member,
    path: path?.name ?? member.path,
    prefix: path?.prefix ?? '',
    flag: TYPE_FLAGS[member.type],
  });
  return position + BLOCK - offset;
}

interface UstarPath {
  readonly name: string;
  readonly prefix: string;
}

/**
 * Splits `path` into the ustar name (1 to 100 bytes) and prefix (at most 155 bytes), at the first slash that does.
 * Undefined when none does, or when the path is not ASCII: the caller then writes a pax header.
 */
export function splitUstarPath(path: string): UstarPath | undefined {
  if (!isAscii(path)) return undefined;
  if (path.length <= NAME_BYTES) return { name: path, prefix: '' };
  const slash = path.indexOf('/', path.length - NAME_BYTES - 1);
  if (slash < 1 || slash > PREFIX_BYTES || slash === path.length - 1) return undefined;
  return { name: path.slice(slash + 1), prefix: path.slice(0, slash) };
}

/** Keys in byte order: gid, linkpath, path, size, uid. */
function paxRecords(member: TarMember, pathFits: boolean): string {
  let records = '';
  if (member.gid > LARGEST_ID) records += paxRecord('gid', String(member.gid));
  if (!isAscii(member.link) || member.link.length > NAME_BYTES) records += paxRecord('linkpath', member.link);
  if (!pathFits) records += paxRecord('path', member.path);
  if (member.size > LARGEST_NUMBER) records += paxRecord('size', String(member.size));
  if (member.uid > LARGEST_ID) records += paxRecord('uid', String(member.uid));
  return records;
}

/** `LENGTH KEY=VALUE\n`, where LENGTH counts the bytes of the whole record, its own digits included. */
function paxRecord(key: string, value: string): string {
  const rest = Buffer.byteLength(key) + Buffer.byteLength(value) + ' =\n'.length;
  let length = rest + String(rest).length;
  if (rest + String(length).length > length) length += 1;
  return `${length} ${key}=${value}\n`;
}

interface PaxMember {
  readonly member: TarMember;
  readonly records: string;
}

function writePax(target: Buffer, offset: number, { member, records }: PaxMember): number {
  const size = Buffer.byteLength(records);
  const padded = Math.ceil(size / BLOCK) * BLOCK;
  const header = { path: PAX_NAME, prefix: '', link: '', mode: 0o644, uid: 0, gid: 0, mtime: member.mtime, size };
  writeBlock(target, offset, { ...header, flag: PAX_FLAG });
  target.fill(0, offset + BLOCK, offset + BLOCK + padded);
  target.write(records, offset + BLOCK, 'utf8');
  return BLOCK + padded;
}

interface Header extends Omit<TarMember, 'type'> {
  readonly prefix: string;
  readonly flag: number;
}

/** A number that a pax record carries stands as 0 here. User, group and device fields are as for a file of uid 0. */
function writeBlock(target: Buffer, offset: number, header: Header): void {
  target.fill(0, offset, offset + BLOCK);
  const texts =
    writeText(target, offset, { text: header.path, bytes: NAME_BYTES }) +
    writeText(target, offset + 157, { text: header.link, bytes: NAME_BYTES }) +
    writeText(target, offset + 345, { text: header.prefix, bytes: PREFIX_BYTES });
  writeOctal(target, offset + 100, { value: header.mode, digits: 7 });
  writeOctal(target, offset + 108, { value: header.uid > LARGEST_ID ? 0 : header.uid, digits: 7 });
  writeOctal(target, offset + 116, { value: header.gid > LARGEST_ID ? 0 : header.gid, digits: 7 });
  writeOctal(target, offset + 124, { value: header.size > LARGEST_NUMBER ? 0 : header.size, digits: 11 });
  writeOctal(target, offset + 136, { value: header.mtime, digits: 11 });
  target[offset + 156] = header.flag;
  target.write('ustar\x0000', offset + 257, 'latin1');
  writeOctal(target, offset + 329, { value: 0, digits: 7 });
  writeOctal(target, offset + 337, { value: 0, digits: 7 });
  // All else is zero: to add up 512 bytes of each of ten thousand headers takes longer than to write them.
  writeChecksum(target, offset, texts + sumOf(target, offset + 100, 57) + sumOf(target, offset + 257, 88));
}

/**
 * As many whole bytes as fit; a text that does not fit, or is not ASCII, is also in a pax record. Returns the sum of the
 * bytes written.
 */
function writeText(target: Buffer, offset: number, field: { readonly text: string; readonly bytes: number }): number {
  if (field.text === '') return 0;
  return sumOf(target, offset, target.write(field.text, offset, field.bytes, 'utf8'));
}

function writeOctal(target: Buffer, offset: number, field: { readonly value: number; readonly digits: number }): void {
  let rest = field.value;
  for (let index = offset + field.digits - 1; index >= offset; index -= 1) {
    target[index] = 0x30 + (rest % 8);
    rest = Math.floor(rest / 8);
  }
}

/** The sum of all bytes, those of the field itself as spaces: six digits, NUL, space. `others` is the sum of the rest. */
function writeChecksum(target: Buffer, offset: number, others: number): void {
  writeOctal(target, offset + 148, { value: others + 8 * 0x20, digits: 6 });
  target[offset + 155] = 0x20;
}

function sumOf(target: Buffer, start: number, length: number): number {
  let sum = 0;
  for (let index = start; index < start + length; index += 1) sum += target[index] ?? 0;
  return sum;
}

function checkMember(member: TarMember): void {
  checkText(member, member.path);
  if (member.path === '') refuse(member, 'has an empty path');
  if (member.type === 'symlink' || member.type === 'hardlink') {
    checkText(member, member.link);
    if (member.link === '') refuse(member, 'is a link to nowhere');
  }
  if (!inRange(member.mode, 0o1777))
    refuse(member, `has a mode of ${member.mode.toString(8)}; at most 1777 may be set`);
  if (!inRange(member.uid, 2 ** 32 - 2)) refuse(member, `has uid ${member.uid}`);
  if (!inRange(member.gid, 2 ** 32 - 2)) refuse(member, `has gid ${member.gid}`);
  if (!inRange(member.mtime, LARGEST_NUMBER)) refuse(member, `has modification time ${member.mtime}`);
  if (!inRange(member.size, Number.MAX_SAFE_INTEGER)) refuse(member, `has size ${member.size}`);
}

const LONGEST_TEXT = 4096;
const LONE_SURROGATE = /\p{Surrogate}/u;

function checkText(member: TarMember, text: string): void {
  if (text.includes('\0')) refuse(member, 'has a NUL in its path or target');
  if (isAscii(text) ? text.length <= LONGEST_TEXT : Buffer.byteLength(text) <= LONGEST_TEXT) {
    if (isAscii(text) || !LONE_SURROGATE.test(text)) return;
    refuse(member, 'has a path or target that UTF-8 cannot write');
  }
  refuse(member, `has a path or target of more than ${LONGEST_TEXT} bytes`);
}

function refuse(member: TarMember, fault: string): never {
  throw new RootcellarError('E_ARTIFACT_INVALID', `\`${member.path.slice(0, 200)}\`: ${fault}`);
}

function inRange(value: number, largest: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= largest;
}

function isAscii(text: string): boolean {
  for (let index = 0; index < text.length; index += 1) if (text.charCodeAt(index) > 0x7f) return false;
  return true;
}
