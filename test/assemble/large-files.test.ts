import { randomBytes } from 'node:crypto';
import { deflateRawSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { LARGE_FILE, memorySource, mostUnpacked } from '../../src/assemble/byte-source.ts';
import { unpackDeb } from '../../src/assemble/deb-reader.ts';
import { readRootfsTar } from '../../src/assemble/tar-reader.ts';
import type { ContentSink, FileEntry, UnpackedArtifact } from '../../src/assemble/tree.ts';
import { installWheel } from '../../src/assemble/wheel-installer.ts';
import { digestOf } from '../../src/base/digest.ts';
import { elfFile } from './elf-files.ts';
import { memoryStore, rawAr, rawTar, rawWheel, rawZip, type RawWheel, type RawZipEntry } from './raw-archives.ts';

const NOISE = randomBytes(LARGE_FILE + 12_345);
const ZEROS = Buffer.alloc(LARGE_FILE + 1);
const ELF = elfFile({ soname: 'libbig.so.1', needed: ['libc.so.6'], runpath: '/opt/lib' });
const LIBRARY = Buffer.concat([ELF, NOISE]);
const SITE = 'usr/lib/python3/dist-packages';

interface Watched {
  readonly sink: ReturnType<typeof memoryStore>;
  /** Of the chunks that came, the longest. */
  readonly longest: () => number;
}

function watchedSink(): Watched {
  const store = memoryStore();
  let longest = 0;
  const write: ContentSink['write'] = (chunks) => {
    const watched = async function* (): AsyncGenerator<Uint8Array> {
      for await (const chunk of chunks) {
        longest = Math.max(longest, chunk.length);
        yield chunk;
      }
    };
    return store.write(watched());
  };
  return { sink: { ...store, write }, longest: () => longest };
}

async function installBytes(bytes: Buffer, { sink }: Watched = watchedSink()): Promise<UnpackedArtifact> {
  const artifact = {
    kind: 'wheel',
    name: 'toy',
    version: '1.0',
    file: 'toy-1.0-py3-none-any.whl',
    size: bytes.length,
    digest: digestOf(bytes),
    uploaded: undefined,
  } as const;
  const [sitePath, prefix, path] = [`/${SITE}`, '/usr', '/usr/bin/python3.13'];
  const interpreter = { version: '3.13.5', path, glibc: '2.41', sitePath, prefix };
  return await installWheel({ artifact, source: memorySource(bytes), interpreter, sink });
}

function install(files: readonly RawZipEntry[], more: RawWheel = {}): Promise<UnpackedArtifact> {
  return installBytes(rawWheel({ files, ...more }));
}

function fileAt({ entries }: Pick<UnpackedArtifact, 'entries'>, path: string): FileEntry | undefined {
  return entries.find((entry): entry is FileEntry => entry.kind === 'file' && entry.path === path);
}

describe('a large file of a wheel', () => {
  it.each([
    ['stored', 0],
    ['deflated', 8],
  ])('passes to the sink in pieces when it is %s', async (_, method) => {
    const watched = watchedSink();
    const bytes = rawWheel({
      files: [
        { name: 'noise', content: NOISE, method },
        { name: 'zeros', content: ZEROS, method },
      ],
    });
    const unpacked = await installBytes(bytes, watched);
    expect(fileAt(unpacked, `${SITE}/noise`)).toMatchObject({ size: NOISE.length, digest: digestOf(NOISE) });
    expect(fileAt(unpacked, `${SITE}/zeros`)).toMatchObject({ size: ZEROS.length, digest: digestOf(ZEROS) });
    expect(watched.longest()).toBeLessThanOrEqual(1024 ** 2);
  });

  it('gives the same ELF facts as a small one', async () => {
    const unpacked = await install([
      { name: 'small.so', content: ELF },
      { name: 'large.so', content: LIBRARY },
    ]);
    const { elf } = fileAt(unpacked, `${SITE}/large.so`) ?? {};
    expect(elf).toMatchObject({ soname: 'libbig.so.1', needed: ['libc.so.6'], runpath: ['/opt/lib'] });
    expect(elf).toEqual(fileAt(unpacked, `${SITE}/small.so`)?.elf);
  });

  it('gets the interpreter into its first line when it is a script', async () => {
    const content = Buffer.concat([Buffer.from('#!python\n'), NOISE]);
    const unpacked = await install([{ name: 'toy-1.0.data/scripts/run', content }]);
    const expected = Buffer.concat([Buffer.from('#!/usr/bin/python3.13\n'), NOISE]);
    expect(fileAt(unpacked, 'usr/bin/run')).toMatchObject({
      size: expected.length,
      digest: digestOf(expected),
      mode: 0o755,
    });
  });

  const behind = Buffer.concat([deflateRawSync(NOISE), Buffer.from('more')]);
  it.each<readonly [string, RawZipEntry, RawWheel, string]>([
    ['a wrong checksum', { name: 'a', content: NOISE, crc: 1 }, {}, '`a` has not the checksum it says'],
    ['a wrong size', { name: 'a', content: NOISE, size: NOISE.length + 1 }, {}, '`a` has not the size it says'],
    ['more than it says', { name: 'a', content: NOISE, size: NOISE.length - 1 }, {}, '`a` has not the size it says'],
    ['data behind its end', { name: 'a', content: NOISE, data: behind }, {}, '`a` is damaged'],
    ['a stream that is cut off', { name: 'a', content: NOISE, data: behind.subarray(0, -9) }, {}, '`a` is damaged'],
    ['a stream that is none', { name: 'a', content: NOISE, data: Buffer.alloc(9, 0xff) }, {}, '`a` is damaged'],
    [
      'another hash in RECORD',
      { name: 'a', content: NOISE },
      { record: (lines) => lines.map((line) => (line.startsWith('a,') ? `a,sha256=${'A'.repeat(43)},` : line)) },
      '`a` does not match its hash in RECORD',
    ],
    [
      'another size in RECORD',
      { name: 'a', content: NOISE },
      { record: (lines) => lines.map((line) => (line.startsWith('a,') ? line.replace(/\d+$/, '7') : line)) },
      '`a` does not match its size in RECORD',
    ],
  ])('is refused with %s', async (_, file, more, fault) => {
    await expect(install([file], more)).rejects.toMatchObject({
      code: 'E_ARTIFACT_INVALID',
      message: expect.stringContaining(fault),
    });
  });

  it('is refused when the archive unpacks to far more than its own size', async () => {
    expect(mostUnpacked(1000)).toBe(8 * 1024 ** 3);
    expect(mostUnpacked(1024 ** 3)).toBe(20 * 1024 ** 3);
    const files = [1, 2, 3].map((index) => ({ name: `${index}`, size: 2 ** 32 - 2 }));
    await expect(installBytes(rawZip(files))).rejects.toThrow('far too much');
  });
});

describe('a large file of a tar', () => {
  it('passes from a .deb to the sink in pieces, and what follows it is read', async () => {
    const { sink, longest } = watchedSink();
    const data = rawTar([
      { name: './usr/share/noise', content: NOISE },
      { name: './usr/share/cache.pyc', content: NOISE },
      { name: './usr/lib/libbig.so.1', content: LIBRARY },
      { name: './usr/share/last', content: 'x' },
    ]);
    const control = rawTar([{ name: 'control', content: 'Package: toy\nVersion: 1.0\nArchitecture: all\n' }]);
    const bytes = rawAr([
      ['debian-binary', Buffer.from('2.0\n')],
      ['control.tar', control],
      ['data.tar.gz', gzipSync(data, { level: 1 })],
    ]);
    const artifact = {
      kind: 'deb',
      name: 'toy',
      version: '1.0',
      architecture: 'all',
      suite: 'trixie',
      path: 'toy_1.0_all.deb',
      size: bytes.length,
      digest: digestOf(bytes),
      depends: [],
    } as const;
    const unpacked = await unpackDeb({ artifact, source: memorySource(bytes), sink });
    expect(unpacked.entries.map(({ path }) => path)).toEqual([
      'usr/lib/libbig.so.1',
      'usr/share/last',
      'usr/share/noise',
    ]);
    expect(fileAt(unpacked, 'usr/share/noise')).toMatchObject({ digest: digestOf(NOISE) });
    expect(fileAt(unpacked, 'usr/share/last')).toMatchObject({ digest: digestOf('x') });
    expect(fileAt(unpacked, 'usr/lib/libbig.so.1')?.elf).toMatchObject({ soname: 'libbig.so.1' });
    expect(longest()).toBeLessThanOrEqual(1024 ** 2);
  });

  it('is refused when the tar ends inside it', async () => {
    const bytes = rawTar([{ name: 'a', content: NOISE }]).subarray(0, LARGE_FILE + 4096);
    const read = readRootfsTar({ source: memorySource(bytes), name: 'a.tar', origin: 'a.tar', sink: memoryStore() });
    await expect(read).rejects.toMatchObject({
      code: 'E_ARTIFACT_INVALID',
      message: expect.stringContaining('too early'),
    });
  });
});
