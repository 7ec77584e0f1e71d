import { createHash } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  type BigIntStats,
} from 'node:fs';
import { join } from 'node:path/posix';
import type { Digest } from '../base/digest.ts';
import { isErrno, RootcellarError } from '../base/rootcellar-error.ts';
import { formatSize } from '../base/units.ts';
import { LARGEST_FILE } from './byte-source.ts';
import { parseElf } from './elf-reader.ts';
import type { ElfFacts } from './tree.ts';

/** What lies at a path of this machine; links are not followed. */
export type HostThing =
  | { readonly kind: 'file'; readonly mode: number; readonly size: number; readonly stamp: FileStamp }
  | { readonly kind: 'folder' }
  | { readonly kind: 'link'; readonly target: string }
  | { readonly kind: 'special'; readonly what: string };

/** What of a file's inode changes with its content: device, number, size and both times. */
export interface FileStamp {
  readonly text: string;
  /** Milliseconds since 1970. */
  readonly changed: number;
}

/** What was read of a file. */
export interface HostFileFacts {
  readonly size: number;
  readonly digest: Digest;
  /** Undefined for what is no ELF file, and for one that no loader could read. */
  readonly elf: ElfFacts | undefined;
  readonly stamp: FileStamp;
}

const CHUNK_BYTES = 1024 ** 2;
const ELF_MAGIC = 0x7f454c46;

/** A folder that stands for the root of a machine; all paths are absolute inside of it. Never follows a link by itself. */
export interface HostDisk {
  /** Undefined when there is nothing. Throws E_HOST_FILE where this user may not look. */
  look(path: string): HostThing | undefined;
  /** Names in a folder, in no order; those that no lockfile can hold come as undefined. Throws E_HOST_FILE. */
  names(path: string): readonly (string | undefined)[];
  /**
   * The content of a regular file, and at the end what was read. A chunk is valid only until the next one is asked for.
   * Throws E_HOST_FILE, also for a file that has changed meanwhile.
   */
  chunks(path: string): Generator<Uint8Array, HostFileFacts, undefined>;
}

export function hostDisk(root = '/'): HostDisk {
  return {
    look: (path) => blaming(path, () => look(join(root, path))),
    names: (path) => blaming(path, () => readdirSync(join(root, path), { encoding: 'buffer' }).map(plainName)) ?? [],
    chunks: (path) => readFile(path, join(root, path)),
  };
}

/** Hashes a regular file; its content goes to `take`, if that is given. Throws E_HOST_FILE. */
export function readHostFile(disk: HostDisk, path: string, take?: (chunk: Uint8Array) => void): HostFileFacts {
  const chunks = disk.chunks(path);
  for (let next = chunks.next(); ; next = chunks.next()) {
    if (next.done === true) return next.value;
    take?.(next.value);
  }
}

/** A fault of one file, or of the folder that it is in. */
export function hostFile(path: string, fault: string, hint?: string): RootcellarError {
  return new RootcellarError('E_HOST_FILE', `\`${path}\`: ${fault}`, { hint });
}

function look(file: string): HostThing | undefined {
  const status = lstatSync(file, { bigint: true });
  if (status.isSymbolicLink()) return { kind: 'link', target: readlinkSync(file) };
  if (status.isDirectory()) return { kind: 'folder' };
  if (!status.isFile()) return { kind: 'special', what: whatIs(status) };
  return { kind: 'file', mode: modeOf(status), size: Number(status.size), stamp: stampOf(status) };
}

function modeOf({ mode }: BigIntStats): number {
  return (mode & 0o100n) === 0n ? 0o644 : 0o755;
}

function whatIs(status: BigIntStats): string {
  if (status.isFIFO()) return 'a FIFO';
  return status.isSocket() ? 'a socket' : 'a device';
}

function stampOf({ dev, ino, size, mtimeNs, ctimeNs, mode }: BigIntStats): FileStamp {
  return { text: [dev, ino, size, mtimeNs, ctimeNs, mode].join(':'), changed: Number(ctimeNs / 1_000_000n) };
}

function plainName(bytes: Buffer): string | undefined {
  const name = bytes.toString('utf8');
  return Buffer.from(name).equals(bytes) && !/[\p{Cc}\p{Zl}\p{Zp}]/u.test(name) ? name : undefined;
}

/** Neither waits for a FIFO nor follows a link that has taken the file's place. */
const FLAGS = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW | constants.O_NOCTTY;

function* readFile(path: string, file: string): Generator<Uint8Array, HostFileFacts, undefined> {
  const descriptor = blaming(path, () => openSync(file, FLAGS));
  if (descriptor === undefined) throw hostFile(path, 'vanished while it was looked at');
  try {
    const before = fstatSync(descriptor, { bigint: true });
    if (!before.isFile()) throw hostFile(path, `is ${before.isDirectory() ? 'a folder' : whatIs(before)}, not a file`);
    if (before.size > LARGEST_FILE) throw hostFile(path, `is larger than ${formatSize(LARGEST_FILE)}`);
    const content = yield* readContent(path, descriptor, Number(before.size));
    const stamp = stampOf(before);
    const after = stampOf(fstatSync(descriptor, { bigint: true }));
    if (stamp.text === after.text && content.size === Number(before.size)) return { ...content, stamp };
    throw hostFile(path, 'changed while it was read', 'stop what writes to it, then try again');
  } finally {
    closeSync(descriptor);
  }
}

/** An ELF file is kept in memory as long as it takes to read its tables. One byte more than expected shows that it grew. */
function* readContent(
  path: string,
  descriptor: number,
  expected: number,
): Generator<Uint8Array, Omit<HostFileFacts, 'stamp'>, undefined> {
  const hash = createHash('sha256');
  const buffer = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, expected + 1));
  let kept: Buffer | undefined;
  let size = 0;
  while (size <= expected) {
    const length = blaming(path, () => readSync(descriptor, buffer, 0, buffer.length, null)) ?? 0;
    if (length === 0) break;
    const chunk = buffer.subarray(0, length);
    if (size === 0 && length >= 4 && chunk.readUInt32BE(0) === ELF_MAGIC) kept = Buffer.allocUnsafe(expected);
    kept?.set(chunk.subarray(0, Math.max(0, expected - size)), size);
    size += length;
    hash.update(chunk);
    yield chunk;
  }
  return { size, digest: `sha256:${hash.digest('hex')}`, elf: kept && readableElf(kept) };
}

/** A machine may have malformed ELF files, as test data for example. Its loader cannot load them either. */
function readableElf(content: Uint8Array): ElfFacts | undefined {
  try {
    return parseElf(content);
  } catch (error) {
    if (error instanceof RootcellarError) return undefined;
    throw error;
  }
}

function blaming<T>(path: string, action: () => T): T | undefined {
  try {
    return action();
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) return undefined;
    const fault = FAULTS.find(([name]) => isErrno(error, name))?.[1];
    if (fault === undefined) throw error;
    throw new RootcellarError('E_HOST_FILE', `\`${path}\`: ${fault}`, { cause: error, hint: `ls -ld ${path}` });
  }
}

const FAULTS: readonly (readonly [string, string])[] = [
  ['EACCES', 'cannot be read by this user'],
  ['EPERM', 'cannot be read by this user'],
  ['ELOOP', 'has become a link'],
  ['ENXIO', 'is a socket or a FIFO'],
  ['EIO', 'cannot be read: the disk has a fault'],
  ['ENAMETOOLONG', 'is too long for a path'],
];
