import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { memorySource } from '../../src/assemble/byte-source.ts';
import { openZip, readZipEntry } from '../../src/assemble/zip-reader.ts';
import { rawZip, type RawZipEntry, strayFault } from './raw-archives.ts';

async function readAll(bytes: Uint8Array): Promise<readonly (readonly [string, string])[]> {
  const zip = await openZip(memorySource(bytes), 'a.whl');
  return await Promise.all(
    zip.entries.map(async (entry) => [entry.name, Buffer.from(await readZipEntry(zip, entry)).toString()] as const),
  );
}

const HOSTILE: readonly (readonly [string, readonly RawZipEntry[], string])[] = [
  ['a path out of the folder', [{ name: 'a/../../b' }], 'the name "a/../../b" is not acceptable'],
  ['an absolute path', [{ name: '/etc/passwd' }], 'the name "/etc/passwd" is not acceptable'],
  ['a backslash', [{ name: String.raw`a\b` }], 'is not acceptable'],
  ['a NUL', [{ name: 'a\0b' }], 'neither ASCII'],
  ['a line feed', [{ name: 'a\nb', flags: 0x800 }], 'is not acceptable'],
  ['an empty component', [{ name: 'a//b' }], 'is not acceptable'],
  ['a name over 255 bytes', [{ name: 'x'.repeat(256) }], 'is not acceptable'],
  ['bytes that are not UTF-8', [{ name: Buffer.from([0xff, 0x41]), flags: 0x800 }], 'is not UTF-8'],
  ['a name of no known encoding', [{ name: 'ä' }], 'neither ASCII nor marked'],
  ['two files of one name', [{ name: 'a' }, { name: 'a' }], '`a` comes twice'],
  ['a file and a folder of one name', [{ name: 'a/' }, { name: 'a' }], '`a` comes twice'],
  ['a symbolic link', [{ name: 'a', content: '/etc/passwd', mode: 0o120777 }], '`a` is a link or special file'],
  ['a device', [{ name: 'a', mode: 0o020666 }], '`a` is a link or special file'],
  ['an encrypted file', [{ name: 'a', content: 'x', flags: 1 }], '`a` is encrypted'],
  ['an unknown compression', [{ name: 'a', method: 12 }], '`a` has the unknown compression 12'],
  ['a wrong checksum', [{ name: 'a', content: 'x', crc: 1 }], '`a` has not the checksum it says'],
  ['more data than said', [{ name: 'a', content: 'xxxx', size: 2 }], '`a` is damaged'],
  ['less data than said', [{ name: 'a', content: 'xx', size: 20 }], '`a` has not the size it says'],
  ['another local name', [{ name: 'a', localName: 'b' }], 'does not agree with the directory'],
  ['another local size', [{ name: 'a', content: 'x', localSize: 7 }], 'does not agree with the directory'],
  [
    'a file inside another',
    [
      { name: 'a', content: 'x' },
      { name: 'b', content: 'x', offset: 0 },
    ],
    'overlaps',
  ],
  ['two sizes of a stored file', [{ name: 'a', content: 'x', method: 0, size: 9 }], '`a` has two sizes'],
  [
    'more than 8 GiB in all',
    Array.from({ length: 5 }, (_, n) => ({ name: `${n}`, size: 2 ** 31 - 1 })),
    'far too much',
  ],
  ['a huge file', [{ name: 'a', size: 2 ** 31 }], '`a` is too large'],
];

describe('openZip() and readZipEntry()', () => {
  it('read stored and deflated files, folders, and a name marked as UTF-8', async () => {
    const zip = rawZip([
      { name: 'd/', method: 0, mode: 0o040755 },
      { name: 'd/a', content: 'stored', method: 0 },
      { name: 'ä', content: 'deflated', flags: 0x800 },
    ]);
    expect(await readAll(zip)).toEqual([
      ['d/', ''],
      ['d/a', 'stored'],
      ['ä', 'deflated'],
    ]);
  });

  it('read mode and time', async () => {
    const zip = await openZip(memorySource(rawZip([{ name: 'a', mode: 0o100755 }])), 'a.whl');
    // 0x5a21 is 2025-01-01.
    expect(zip.entries[0]).toMatchObject({ mode: 0o755, mtime: Date.UTC(2025, 0, 1) / 1000 });
  });

  it('read an archive with a comment', async () => {
    expect(await readAll(rawZip([{ name: 'a', content: 'x' }], 'hello'))).toEqual([['a', 'x']]);
  });

  it.each(HOSTILE)('refuse %s', async (_, entries, message) => {
    await expect(readAll(rawZip(entries))).rejects.toThrow(
      expect.objectContaining({ code: 'E_ARTIFACT_INVALID', message: expect.stringContaining(message) }),
    );
  });

  it('refuse a deflate stream with data behind its end', async () => {
    const zip = rawZip([{ name: 'a', content: 'hello', data: Buffer.from('cb48cdc9c907000000', 'hex') }]);
    await expect(readAll(zip)).rejects.toThrow('`a` has data behind its end');
  });

  it('refuse data before or behind the archive', async () => {
    const zip = rawZip([{ name: 'a', content: 'x' }]);
    await expect(readAll(Buffer.concat([Buffer.from('MZ'), zip]))).rejects.toThrow('not where it says');
    await expect(readAll(Buffer.concat([zip, Buffer.from('x')]))).rejects.toThrow('not a zip archive');
  });

  it('give the content or a RootcellarError for any damage of an archive', async () => {
    const zip = rawZip([
      { name: 'd/a', content: 'hello hello hello' },
      { name: 'b', content: 'stored', method: 0 },
    ]);
    const damage = fc.array(fc.tuple(fc.nat(zip.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(damage, fc.nat(zip.length), async (changes, length) => {
        const damaged = Buffer.from(zip);
        for (const [at, byte] of changes) damaged[at] = byte;
        const cut = damaged.subarray(0, length % 3 === 0 ? length : damaged.length);
        expect(await strayFault(readAll(cut))).toBeUndefined();
      }),
      { numRuns: 2000 },
    );
  });
});
