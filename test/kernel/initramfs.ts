import {
  closeSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  writeSync,
  type Stats,
} from 'node:fs';
import { join } from 'node:path';
import { byteOrder } from '../../src/base/byte-order.ts';

/** What to pack: a path in the archive, without a slash in front, and where it comes from. */
export type Part = readonly [path: string, source: string];

const ALIGNMENT = 4;
const LAST = 'TRAILER!!!';

/**
 * Writes folders, files and links, all owned by root, as an archive that a Linux kernel unpacks at boot.
 * Format: Documentation/driver-api/early-userspace/buffer-format.rst, "newc".
 */
export function writeInitramfs(file: string, parts: readonly Part[]): void {
  const output = openSync(file, 'w');
  const inode = { next: 1 };
  const put = (path: string, mode: number, content: Uint8Array): void => {
    writeSync(output, entry(path, mode, { inode: inode.next, content }));
    inode.next += 1;
  };
  for (const [path, source] of parts) walk(path, source, put);
  put(LAST, 0, Buffer.alloc(0));
  closeSync(output);
}

function walk(path: string, source: string, put: (path: string, mode: number, content: Uint8Array) => void): void {
  const status = lstatSync(source);
  put(path, status.mode, contentOf(source, status));
  if (!status.isDirectory()) return;
  for (const name of readdirSync(source).toSorted(byteOrder)) walk(join(path, name), join(source, name), put);
}

function contentOf(source: string, status: Stats): Uint8Array {
  if (status.isSymbolicLink()) return Buffer.from(readlinkSync(source));
  if (status.isFile()) return readFileSync(source);
  if (status.isDirectory()) return Buffer.alloc(0);
  throw new Error(`${source} is neither a file nor a folder nor a link`);
}

function entry(path: string, mode: number, { inode, content }: { inode: number; content: Uint8Array }): Buffer {
  const name = Buffer.from(`${path}\0`);
  // magic; inode, mode, uid, gid, links, time, size, two device numbers of two parts, length of the name, checksum
  const numbers = [inode, mode, 0, 0, 1, 0, content.length, 0, 0, 0, 0, name.length, 0];
  const header = `070701${numbers.map((number) => number.toString(16).padStart(8, '0')).join('')}`;
  return Buffer.concat([padded(Buffer.concat([Buffer.from(header), name])), padded(content)]);
}

function padded(bytes: Uint8Array): Uint8Array {
  const rest = bytes.length % ALIGNMENT;
  return rest === 0 ? bytes : Buffer.concat([bytes, Buffer.alloc(ALIGNMENT - rest)]);
}
