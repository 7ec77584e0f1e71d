import { createHash } from 'node:crypto';
import { crc32, deflateRawSync, gzipSync } from 'node:zlib';
import type { Digest } from '../../src/base/digest.ts';
import { RootcellarError } from '../../src/base/rootcellar-error.ts';
import type { Contents, ContentSink } from '../../src/assemble/tree.ts';

/** Archives written byte by byte, so that each field can be made wrong. */

export interface RawZipEntry {
  readonly name: string | Uint8Array;
  readonly content?: string | Uint8Array;
  readonly mode?: number;
  readonly flags?: number;
  readonly method?: number;
  /** What the headers claim, where that is not the truth. */
  readonly size?: number;
  readonly crc?: number;
  readonly localName?: string;
  readonly localSize?: number;
  readonly offset?: number;
  /** The data as they stand in the archive. */
  readonly data?: Uint8Array;
}

export function rawZip(entries: readonly RawZipEntry[], comment = ''): Buffer {
  const locals: Buffer[] = [];
  const centrals: Buffer[] = [];
  let offset = 0;
  for (const entry of entries) {
    const name = Buffer.from(entry.name);
    const content = Buffer.from(entry.content ?? '');
    const method = entry.method ?? 8;
    const data = Buffer.from(entry.data ?? (method === 8 ? deflateRawSync(content) : content));
    const crc = entry.crc ?? crc32(content);
    const size = entry.size ?? content.length;
    const flags = entry.flags ?? 0;
    const localName = Buffer.from(entry.localName ?? name);
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(flags, 6);
    local.writeUInt16LE(method, 8);
    local.writeUInt16LE(0x5a21, 12);
    local.writeUInt32LE(crc, 14);
    local.writeUInt32LE(data.length, 18);
    local.writeUInt32LE(entry.localSize ?? size, 22);
    local.writeUInt16LE(localName.length, 26);
    const central = Buffer.alloc(46);
    central.writeUInt32LE(0x02014b50, 0);
    central.writeUInt16LE(0x0314, 4);
    central.writeUInt16LE(flags, 8);
    central.writeUInt16LE(method, 10);
    central.writeUInt16LE(0x5a21, 14);
    central.writeUInt32LE(crc, 16);
    central.writeUInt32LE(data.length, 20);
    central.writeUInt32LE(size, 24);
    central.writeUInt16LE(name.length, 28);
    central.writeUInt16LE(entry.mode ?? 0o100644, 40);
    central.writeUInt32LE(entry.offset ?? offset, 42);
    locals.push(local, localName, data);
    centrals.push(central, name);
    offset += 30 + localName.length + data.length;
  }
  const directory = Buffer.concat(centrals);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(offset, 16);
  end.writeUInt16LE(comment.length, 20);
  return Buffer.concat([...locals, directory, end, Buffer.from(comment)]);
}

export interface RawWheel {
  readonly name?: string;
  readonly version?: string;
  readonly files?: readonly RawZipEntry[];
  /** Replaces the true RECORD. */
  readonly record?: (lines: readonly string[]) => readonly string[];
  readonly wheel?: string;
  readonly entryPoints?: string;
  /** Put behind everything, not in RECORD. */
  readonly unlisted?: readonly RawZipEntry[];
}

/** A wheel that is right in everything but what is asked for. */
export function rawWheel(options: RawWheel = {}): Buffer {
  const { name = 'toy', version = '1.0', files = [], unlisted = [] } = options;
  const info = `${name}-${version}.dist-info`;
  const listed: RawZipEntry[] = [
    ...files,
    { name: `${info}/WHEEL`, content: options.wheel ?? 'Wheel-Version: 1.0\nRoot-Is-Purelib: true\n' },
    { name: `${info}/METADATA`, content: `Metadata-Version: 2.1\nName: ${name}\nVersion: ${version}\n` },
  ];
  if (options.entryPoints !== undefined)
    listed.push({ name: `${info}/entry_points.txt`, content: options.entryPoints });
  const lines = listed.map((file) => {
    const content = Buffer.from(file.content ?? '');
    const hash = createHash('sha256').update(content).digest('base64url');
    return `${Buffer.from(file.name).toString()},sha256=${hash},${content.length}`;
  });
  const record = options.record?.(lines) ?? lines;
  const content = [...record, `${info}/RECORD,,`].map((line) => `${line}\n`).join('');
  return rawZip([...listed, { name: `${info}/RECORD`, content }, ...unlisted]);
}

export interface RawTarMember {
  readonly name: string;
  readonly type?: string;
  readonly content?: string | Uint8Array;
  readonly target?: string;
  readonly mode?: number;
  readonly uid?: number;
  readonly mtime?: number;
  /** What the header claims. */
  readonly size?: number;
  readonly checksum?: number;
  readonly nameBytes?: Uint8Array;
}

export function rawTarMember(member: RawTarMember): Buffer {
  const content = Buffer.from(member.content ?? '');
  const header = Buffer.alloc(512);
  const octal = (value: number, at: number, length: number): void => {
    header.write(value.toString(8).padStart(length - 1, '0'), at, 'latin1');
  };
  Buffer.from(member.nameBytes ?? Buffer.from(member.name)).copy(header, 0, 0, 100);
  octal(member.mode ?? 0o644, 100, 8);
  octal(member.uid ?? 0, 108, 8);
  octal(0, 116, 8);
  octal(member.size ?? content.length, 124, 12);
  octal(member.mtime ?? 1_700_000_000, 136, 12);
  header.write(member.type ?? '0', 156, 'latin1');
  header.write(member.target ?? '', 157, 100, 'utf8');
  header.write('ustar\u000000', 257, 'latin1');
  header.fill(' ', 148, 156);
  octal(member.checksum ?? header.reduce((sum, byte) => sum + byte, 0), 148, 7);
  const padding = Buffer.alloc((512 - (content.length % 512)) % 512);
  return Buffer.concat([header, content, padding]);
}

export function rawTar(members: readonly RawTarMember[]): Buffer {
  return Buffer.concat([...members.map(rawTarMember), Buffer.alloc(1024)]);
}

export function rawAr(members: readonly (readonly [string, Uint8Array])[]): Buffer {
  const parts = members.flatMap(([name, content]) => [
    Buffer.from(`${name.padEnd(16)}${'0'.padEnd(12)}${'0'.padEnd(6)}${'0'.padEnd(6)}${'100644'.padEnd(8)}`),
    Buffer.from(`${String(content.length).padEnd(10)}\`\n`),
    Buffer.from(content),
    Buffer.alloc(content.length % 2, '\n'),
  ]);
  return Buffer.concat([Buffer.from('!<arch>\n'), ...parts]);
}

/** A .deb of the package `toy 1.0` for every architecture. */
export function rawDeb(data: readonly RawTarMember[], control: readonly RawTarMember[] = []): Buffer {
  const fields = 'Package: toy\nVersion: 1.0\nArchitecture: all\nReplaces: old (<< 1.0)\nDescription: a toy\n more\n';
  return rawAr([
    ['debian-binary', Buffer.from('2.0\n')],
    ['control.tar.gz', gzipSync(rawTar([{ name: './control', content: fields }, ...control]))],
    ['data.tar.gz', gzipSync(rawTar(data))],
  ]);
}

/** A sink that keeps everything in memory and gives it back. */
export function memoryStore(): ContentSink & Contents & { readonly text: (digest: Digest) => string } {
  const kept = new Map<Digest, Buffer>();
  const read = (digest: Digest): Buffer => {
    const content = kept.get(digest);
    if (content === undefined) throw new Error(`unreachable: ${digest} was never written`);
    return content;
  };
  return {
    write: async (chunks) => {
      const copies: Buffer[] = [];
      for await (const chunk of chunks) copies.push(Buffer.from(chunk));
      const content = Buffer.concat(copies);
      const digest: Digest = `sha256:${createHash('sha256').update(content).digest('hex')}`;
      kept.set(digest, content);
      return { digest, size: content.length };
    },
    inspect: async (digest, look) => look((offset, length) => read(digest).subarray(offset, offset + length)),
    chunks: (digest) => [read(digest)],
    text: (digest) => read(digest).toString('utf8'),
  };
}

/** The fault that is no RootcellarError, if any. */
export async function strayFault(action: Promise<unknown>): Promise<unknown> {
  return await action.then(
    () => undefined,
    (error: unknown) => (error instanceof RootcellarError ? undefined : error),
  );
}
