import { assert, asyncProperty, stringMatching, uint8Array, uniqueArray } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { memorySource } from '../../src/assemble/byte-source.ts';
import { openZip, readZipEntry } from '../../src/assemble/zip-reader.ts';
import { digestOf } from '../../src/base/digest.ts';
import { storedZip, type StoredFile } from '../../src/base/stored-zip.ts';

const FILES: readonly StoredFile[] = [
  { path: 'b/run', content: Buffer.from('#!x'), isExecutable: true },
  { path: 'a.py', content: Buffer.from('x = 1\n'), isExecutable: false },
  { path: 'ä', content: Buffer.alloc(0), isExecutable: false },
];

describe('storedZip()', () => {
  it('gives the same bytes for the same files in any order, for ever', () => {
    const digest = digestOf(storedZip(FILES));
    expect(digestOf(storedZip(FILES.toReversed()))).toBe(digest);
    expect(digest).toBe('sha256:9fb1109467676af41cb1f735c00ee2f87337aed8122339aed0512b3a8b1de1c8');
  });

  it('is read back as it was written', async () => {
    const paths = uniqueArray(stringMatching(/^[a-z]{1,8}(?:\/[a-z]{1,8}){0,3}\.py$/), { maxLength: 12 });
    await assert(
      asyncProperty(paths, uint8Array({ maxLength: 200 }), async (names, content) => {
        const zip = storedZip(names.map((path) => ({ path, content, isExecutable: false })));
        const archive = await openZip(memorySource(zip), 'x.zip');
        expect(archive.entries.map(({ name }) => name).toSorted()).toEqual(names.toSorted());
        for (const entry of archive.entries) expect(await readZipEntry(archive, entry)).toEqual(Buffer.from(content));
      }),
      { numRuns: 50 },
    );
  });

  it('keeps who may execute what, and nothing else of modes and times', async () => {
    const { entries } = await openZip(memorySource(storedZip(FILES)), 'x.zip');
    expect(entries.map(({ name, mode, mtime }) => [name, mode?.toString(8), mtime])).toEqual([
      ['a.py', '644', 315_532_800],
      ['b/run', '755', 315_532_800],
      ['ä', '644', 315_532_800],
    ]);
  });
});
