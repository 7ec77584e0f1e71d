import { gzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { memorySource } from '../../src/assemble/byte-source.ts';
import { unpackDeb } from '../../src/assemble/deb-reader.ts';
import type { UnpackedArtifact } from '../../src/assemble/tree.ts';
import { memoryStore, rawAr, rawDeb, rawTar, type RawTarMember, strayFault } from './raw-archives.ts';

async function unpack(bytes: Uint8Array): Promise<UnpackedArtifact> {
  const artifact = {
    kind: 'deb',
    name: 'toy',
    version: '1.0',
    architecture: 'all',
    suite: 'trixie',
    path: 'pool/main/t/toy/toy_1.0_all.deb',
    size: bytes.length,
    digest: `sha256:${'0'.repeat(64)}`,
    depends: [],
  } as const;
  return await unpackDeb({ artifact, source: memorySource(bytes), sink: memoryStore() });
}

const CONTROL = rawTar([{ name: 'control', content: 'Package: toy\nVersion: 1.0\nArchitecture: all\n' }]);
const VERSION = ['debian-binary', Buffer.from('2.0\n')] as const;

const HOSTILE_MEMBERS: readonly (readonly [string, RawTarMember, string])[] = [
  ['a path out of the root', { name: './../etc/x' }, 'the path `./../etc/x` is not acceptable'],
  ['a device', { name: './dev/null', type: '3' }, '`/dev/null` is a device or FIFO'],
  ['a FIFO', { name: './x', type: '6' }, '`/x` is a device or FIFO'],
  ['a hard link out of the root', { name: './x', type: '1', target: '../x' }, 'a hard link to what is no file'],
];

describe('unpackDeb()', () => {
  it('gives entries in byte order, control text and scripts', async () => {
    const deb = rawDeb(
      [
        { name: './', type: '5' },
        { name: './usr/share/b', content: 'x', mode: 0o4755 },
        { name: './usr/share/a', content: 'x' },
      ],
      [
        { name: './postinst', content: '#!/bin/sh\nadduser toy\n' },
        { name: './triggers', content: '# a comment\nactivate-noawait ldconfig\n' },
        { name: './md5sums', content: '' },
      ],
    );
    const { entries, metadata, scripts } = await unpack(deb);
    expect(entries.map(({ path, mode, origin }) => [path, mode, origin])).toEqual([
      ['usr/share/a', 0o644, 'toy 1.0'],
      ['usr/share/b', 0o755, 'toy 1.0'],
    ]);
    expect(metadata).toContain('Replaces: old (<< 1.0)');
    expect(scripts).toEqual(['postinst']);
  });

  it('merges /usr: paths, hard links, and relative links that would lead elsewhere', async () => {
    const { entries } = await unpack(
      rawDeb([
        { name: './lib/', type: '5' },
        { name: './lib/a/', type: '5' },
        { name: './lib/a/x.so.1', content: 'x' },
        { name: './bin/x', type: '1', target: './lib/a/x.so.1' },
        { name: './lib/a/x.so', type: '2', target: 'x.so.1' },
        { name: './lib/a/y.so', type: '2', target: '../../usr/share/y' },
        { name: './lib/a/z.so', type: '2', target: '/lib/z' },
      ]),
    );
    expect(entries.map((entry) => [entry.path, 'target' in entry ? entry.target : entry.kind])).toEqual([
      ['usr/bin/x', 'file'],
      ['usr/lib/a', 'directory'],
      ['usr/lib/a/x.so', 'x.so.1'],
      ['usr/lib/a/x.so.1', 'usr/bin/x'],
      ['usr/lib/a/y.so', '../../share/y'],
      ['usr/lib/a/z.so', '/lib/z'],
    ]);
  });

  it('takes one file at two places that merging makes one, and refuses two different ones', async () => {
    expect((await unpack(twice('one'))).entries.map(({ path }) => path)).toEqual(['usr/lib/x']);
    await expect(unpack(twice('two'))).rejects.toThrow('it brings `/usr/lib/x` twice');
  });

  it('leaves compiled Python out', async () => {
    const { entries } = await unpack(
      rawDeb([
        { name: './usr/lib/a/__pycache__/', type: '5' },
        { name: './usr/lib/a/__pycache__/x.cpython-313.pyc', content: 'x' },
        { name: './usr/lib/a/__pycached__', content: 'x' },
      ]),
    );
    expect(entries.map(({ path }) => path)).toEqual(['usr/lib/a/__pycached__']);
  });

  it.each(HOSTILE_MEMBERS)('refuses %s', async (_, member, message) => {
    await expect(unpack(rawDeb([member]))).rejects.toThrow(
      expect.objectContaining({ code: 'E_ARTIFACT_INVALID', message: expect.stringContaining(message) }),
    );
  });

  it.each([
    ['no ar archive', Buffer.from('PK'), 'it is not an `ar` archive'],
    ['an empty archive', rawAr([]), 'its members are not those of a .deb'],
    ['no data', rawAr([VERSION, ['control.tar.gz', gzipSync(CONTROL)]]), 'its members are not those of a .deb'],
    [
      'another format',
      rawAr([
        ['debian-binary', Buffer.from('3.0\n')],
        ['control.tar', CONTROL],
        ['data.tar', rawTar([])],
      ]),
      'its format is not version 2',
    ],
    [
      'no control file',
      rawAr([VERSION, ['control.tar', rawTar([])], ['data.tar', rawTar([])]]),
      'it has no control file',
    ],
    [
      'an unknown compression',
      rawAr([VERSION, ['control.tar', CONTROL], ['data.tar.lz4', rawTar([])]]),
      'unknown compression',
    ],
    ['too many members', rawAr(Array.from({ length: 40 }, () => VERSION)), 'it has too many members'],
  ])('refuses %s', async (_, bytes, message) => {
    await expect(unpack(bytes)).rejects.toThrow(
      expect.objectContaining({ code: 'E_ARTIFACT_INVALID', message: expect.stringContaining(message) }),
    );
  });

  it('refuses another package than the locked one', async () => {
    const control = rawTar([{ name: 'control', content: 'Package: evil\nVersion: 1.0\nArchitecture: all\n' }]);
    const deb = rawAr([VERSION, ['control.tar', control], ['data.tar', rawTar([])]]);
    await expect(unpack(deb)).rejects.toThrow('its package is `evil`, not `toy` as locked');
  });

  it('gives entries or a RootcellarError for any damage of a package', async () => {
    const deb = rawAr([VERSION, ['control.tar', CONTROL], ['data.tar', rawTar([{ name: './a', content: 'x' }])]]);
    const damage = fc.array(fc.tuple(fc.nat(deb.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(damage, fc.nat(deb.length), async (changes, length) => {
        const damaged = Buffer.from(deb.subarray(0, length % 3 === 0 ? length : deb.length));
        for (const [at, byte] of changes) if (at < damaged.length) damaged[at] = byte;
        expect(await strayFault(unpack(damaged))).toBeUndefined();
      }),
      { numRuns: 1500 },
    );
  });
});

function twice(second: string): Uint8Array {
  return rawDeb([
    { name: './lib/x', content: 'one' },
    { name: './usr/lib/x', content: second },
  ]);
}
