import { createHash } from 'node:crypto';
import { byteOrder } from '../base/byte-order.ts';
import { hexOf, type Digest } from '../base/digest.ts';

/** One line of a wheel's RECORD. */
export interface RecordLine {
  readonly path: string;
  /** As written, such as `sha256=` and base64url without padding; empty where the wheel gives none. */
  readonly hash: string;
  /** As written; may be empty. */
  readonly size: string;
}

/** `MD5` and `SHA-1` are forbidden. Source: "Recording installed projects", The RECORD file. */
const ALGORITHMS: ReadonlySet<string> = new Set(['sha256', 'sha384', 'sha512']);

/** Reads a RECORD. Throws a plain Error on what is no CSV of three columns, and on a path that comes twice. */
export function parseRecord(text: string): ReadonlyMap<string, RecordLine> {
  const lines = new Map<string, RecordLine>();
  for (const line of text.split(/\r?\n/)) {
    if (line === '') continue;
    const [path, hash, size, ...more] = parseCsvLine(line);
    if (path === undefined || hash === undefined || size === undefined || more.length > 0) {
      throw new Error(`the RECORD line ${JSON.stringify(line.slice(0, 200))} has not three columns`);
    }
    if (lines.has(path)) throw new Error(`RECORD lists \`${path}\` twice`);
    lines.set(path, { path, hash, size });
  }
  return lines;
}

/** A RECORD with its lines in byte order of path. */
export function formatRecord(lines: readonly RecordLine[]): string {
  const sorted = lines.toSorted((a, b) => byteOrder(a.path, b.path));
  return sorted.map(({ path, hash, size }) => `${csvField(path)},${hash},${size}\n`).join('');
}

/** What RECORD says of a file with this digest. */
export function recordHash(digest: Digest): string {
  return `sha256=${Buffer.from(hexOf(digest), 'hex').toString('base64url')}`;
}

/** Throws a plain Error that says why the line does not vouch for the content. */
export function checkRecordLine(line: RecordLine, content: Uint8Array): void {
  const check = recordCheck(line);
  check.update(content);
  check.end();
}

/** Whether a RECORD line vouches for a content that comes in chunks. */
export interface RecordCheck {
  update(chunk: Uint8Array): void;
  /** Throws a plain Error that says why not. */
  end(): void;
}

/** Throws a plain Error when the line can vouch for nothing. */
export function recordCheck({ path, hash, size }: RecordLine): RecordCheck {
  const [, algorithm, expected] = /^([a-z0-9_]+)=([\w-]+)=*$/.exec(hash) ?? [];
  if (algorithm === undefined || expected === undefined || !ALGORITHMS.has(algorithm)) {
    throw new Error(`RECORD has no acceptable hash of \`${path}\``);
  }
  const digest = createHash(algorithm);
  let length = 0;
  return {
    update: (chunk) => {
      digest.update(chunk);
      length += chunk.length;
    },
    end: () => {
      if (digest.digest('base64url') !== expected) throw new Error(`\`${path}\` does not match its hash in RECORD`);
      if (size !== '' && size !== String(length)) throw new Error(`\`${path}\` does not match its size in RECORD`);
    },
  };
}

/** One line, so that a quoted field never holds a line end: paths cannot. Source: RFC 4180. */
function parseCsvLine(line: string): readonly string[] {
  const fields: string[] = [];
  const field = /(?:"((?:[^"]|"")*)"|([^",]*))(,|$)/y;
  while (field.lastIndex <= line.length) {
    const [, quoted, plain, separator] = field.exec(line) ?? [];
    if (separator === undefined) return [];
    fields.push(quoted === undefined ? (plain ?? '') : quoted.replaceAll('""', '"'));
    if (separator === '') break;
  }
  return fields;
}

function csvField(text: string): string {
  return /[",]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
