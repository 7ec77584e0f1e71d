import { execFileSync } from 'node:child_process';
import { gzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { memorySource } from '../../src/assemble/byte-source.ts';
import { readRootfsTar, type RootfsTar } from '../../src/assemble/tar-reader.ts';
import { byteOrder } from '../../src/base/byte-order.ts';
import { memoryStore, rawTar, rawTarMember, type RawTarMember, strayFault } from './raw-archives.ts';

async function read(bytes: Uint8Array): Promise<RootfsTar> {
  return await readRootfsTar({ source: memorySource(bytes), name: 'a.tar', origin: 'a.tar', sink: memoryStore() });
}

async function paths(members: readonly RawTarMember[]): Promise<readonly string[]> {
  return [...(await read(rawTar(members))).tree.keys()];
}

function pax(records: string): RawTarMember {
  return { name: 'PaxHeaders/x', type: 'x', content: records };
}

const HOSTILE: readonly (readonly [string, readonly RawTarMember[], string])[] = [
  ['a path out of the root', [{ name: '../evil' }], 'the path `../evil` is not acceptable'],
  ['a path out of the root further in', [{ name: 'a/../../evil' }], 'is not acceptable'],
  [
    'a hard link out of the root',
    [{ name: 'a', type: '1', target: '../etc/shadow' }],
    'a hard link to what is no file',
  ],
  [
    'a hard link to a folder',
    [
      { name: 'd/', type: '5' },
      { name: 'a', type: '1', target: 'd' },
    ],
    'a hard link to what',
  ],
  [
    'hard links in a circle',
    [
      { name: 'a', type: '1', target: 'b' },
      { name: 'b', type: '1', target: 'a' },
    ],
    'a hard link',
  ],
  ['a hard link to itself', [{ name: 'a', type: '1', target: 'a' }], 'a hard link to what is no file'],
  ['a file twice', [{ name: 'a' }, { name: './a' }], 'it brings `/a` twice'],
  ['a link that a file replaces', [{ name: 'a', type: '2', target: 'b' }, { name: 'a' }], 'it brings `/a` twice'],
  ['an empty link', [{ name: 'a', type: '2' }], '`/a` links to nothing'],
  ['an unknown type', [{ name: 'a', type: 'S' }], '`a` has the unknown type `S`'],
  ['a wrong checksum', [{ name: 'a', checksum: 1 }], 'the checksum of a header does not match'],
  ['a name that is not UTF-8', [{ name: '', nameBytes: Buffer.from([0x61, 0xff]) }], 'is not UTF-8'],
  ['content of a folder', [{ name: 'a/', type: '5', content: 'x' }], '`a/` is a directory with content'],
  ['content of a link', [{ name: 'a', type: '2', target: 'b', content: 'x' }], '`a` is a symlink with content'],
  [
    'a huge file',
    [{ name: 'x', type: 'x', content: '22 size=1099511627776\n' }, { name: 'a' }],
    'it unpacks to far too much',
  ],
  ['a file longer than the archive', [{ name: 'a', size: 100_000 }], 'it ends too early'],
  ['a huge header', [{ name: 'a', type: 'L', size: 2 ** 21 }], 'a header is too large'],
  ['a sparse file', [pax('22 GNU.sparse.major=1\n'), { name: 'a' }], '`a` is sparse'],
  ['a pax record without an end', [pax('99 path=a\n'), { name: 'a' }], 'a pax header is malformed'],
  ['a pax record of length 0', [pax('0 path=a\n'), { name: 'a' }], 'a pax header is malformed'],
  ['a pax record of a negative length', [pax('-5 path=a\n'), { name: 'a' }], 'a pax header is malformed'],
  ['a pax record with a NUL', [pax('11 path=a\0\n'), { name: 'a' }], 'has a NUL'],
  ['a pax size that is no number', [pax('11 size=-1\n'), { name: 'a' }], 'has the size `-1`'],
  ['a path for all files', [{ ...pax('10 path=a\n'), type: 'g' }, { name: 'a' }], 'a global pax header sets `path`'],
];

describe('readRootfsTar()', () => {
  it('reads files, folders and links, and makes missing folders', async () => {
    const { tree } = await read(
      rawTar([
        { name: './', type: '5', mode: 0o755 },
        { name: './usr/bin/a', content: 'x', mode: 0o6755, uid: 7, mtime: 5 },
        { name: './usr/bin/b', type: '1', target: './usr/bin/a' },
        { name: './bin', type: '2', target: 'usr/bin' },
      ]),
    );
    expect([...tree.values()]).toEqual([
      {
        kind: 'symlink',
        path: 'bin',
        mode: 0o777,
        uid: 0,
        gid: 0,
        mtime: 1_700_000_000,
        origin: 'a.tar',
        target: 'usr/bin',
      },
      { kind: 'directory', path: 'usr', mode: 0o755, uid: 0, gid: 0, mtime: 0, origin: 'rootcellar' },
      { kind: 'directory', path: 'usr/bin', mode: 0o755, uid: 0, gid: 0, mtime: 0, origin: 'rootcellar' },
      expect.objectContaining({ kind: 'file', path: 'usr/bin/a', mode: 0o755, uid: 7, mtime: 5, size: 1 }),
      expect.objectContaining({ kind: 'hardlink', path: 'usr/bin/b', target: 'usr/bin/a' }),
    ]);
  });

  it('makes the first path of a hard-linked group the file, whatever the tar says', async () => {
    const { tree } = await read(
      rawTar([
        { name: 'z', content: 'x' },
        { name: 'a', type: '1', target: 'z' },
      ]),
    );
    expect([...tree.values()]).toMatchObject([
      { kind: 'file', path: 'a' },
      { kind: 'hardlink', path: 'z', target: 'a' },
    ]);
  });

  it('reads long names of GNU tar and of pax', async () => {
    const long = `${'d'.repeat(90)}/${'f'.repeat(90)}`;
    const found = await paths([
      { name: '././@LongLink', type: 'L', content: `${long}\0` },
      { name: 'short' },
      pax('15 path=pax/ä\n'),
      { name: 'short' },
      { name: 'plain' },
    ]);
    expect(found).toEqual(['d'.repeat(90), long, 'pax', 'pax/ä', 'plain']);
  });

  it('sends what lies behind a link to where the link leads, never out of the root', async () => {
    const found = await paths([
      { name: 'l', type: '2', target: '../../../etc' },
      { name: 'l/passwd', content: 'x' },
    ]);
    expect(found).toEqual(['etc', 'etc/passwd', 'l']);
  });

  it('refuses what lies behind links that lead in a circle', async () => {
    const members = [
      { name: 'a', type: '2', target: 'b' },
      { name: 'b', type: '2', target: 'a' },
      { name: 'a/x', content: 'x' },
    ];
    await expect(paths(members)).rejects.toThrow('links that lead in a circle');
  });

  it('refuses a file below a file', async () => {
    await expect(paths([{ name: 'a' }, { name: 'a/b' }])).rejects.toMatchObject({ code: 'E_FILE_CONFLICT' });
  });

  it('leaves devices out and says so', async () => {
    const { tree, warnings } = await read(
      rawTar([
        { name: 'dev/null', type: '3' },
        { name: 'fifo', type: '6' },
      ]),
    );
    expect(tree.size).toBe(0);
    expect(warnings).toEqual([
      'a.tar: `/dev/null` is a device or FIFO and was left out',
      'a.tar: `/fifo` is a device or FIFO and was left out',
    ]);
  });

  it('tells compression by content', async () => {
    const { tree } = await read(gzipSync(rawTar([{ name: 'a' }])));
    expect([...tree.keys()]).toEqual(['a']);
  });

  it.each(HOSTILE)('refuses %s', async (_, members, message) => {
    await expect(paths(members)).rejects.toThrow(
      expect.objectContaining({ code: 'E_ARTIFACT_INVALID', message: expect.stringContaining(message) }),
    );
  });

  it('refuses a tar without its end, and one with data behind it', async () => {
    const member = rawTarMember({ name: 'a', content: 'x' });
    await expect(read(member)).rejects.toThrow('it ends too early');
    await expect(read(Buffer.alloc(0))).rejects.toThrow('it ends too early');
    await expect(read(Buffer.concat([rawTar([]), member]))).rejects.toThrow('there is data behind its end');
  });

  it.each(['gnu', 'pax', 'ustar', 'v7'])(
    'lists what GNU tar lists of its own archives in format %s',
    async (format) => {
      const folder = `${import.meta.dirname}/../../src/base`;
      const options = ['--format', format, '--sort=name', '-C', folder, '-cf', '-', '.'];
      const tar = execFileSync('tar', options, { maxBuffer: 2 ** 26 });
      const listed = execFileSync('tar', ['-tf', '-'], { input: tar, encoding: 'utf8' });
      const expected = listed.split('\n').map((name) => name.replace(/^\.\//, '').replace(/\/$/, ''));
      const { tree } = await read(tar);
      expect([...tree.keys()].toSorted(byteOrder)).toEqual(expected.filter((name) => name !== '').toSorted(byteOrder));
    },
  );

  it('gives a tree or a RootcellarError for any damage of an archive', async () => {
    const tar = rawTar([
      pax('15 path=pax/ä\n'),
      { name: 'short', content: 'hello' },
      { name: 'l', type: '2', target: 'x' },
    ]);
    const damage = fc.array(fc.tuple(fc.nat(tar.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(damage, fc.boolean(), async (changes, mend) => {
        const damaged = Buffer.from(tar);
        for (const [at, byte] of changes) damaged[at] = byte;
        if (mend) mendChecksums(damaged);
        expect(await strayFault(read(damaged))).toBeUndefined();
      }),
      { numRuns: 2000 },
    );
  });
});

/** So that damage gets past the first check. */
function mendChecksums(tar: Buffer): void {
  for (let at = 0; at + 512 <= tar.length; at += 512) {
    const block = tar.subarray(at, at + 512);
    if (block.toString('latin1', 257, 262) !== 'ustar') continue;
    block.fill(' ', 148, 156);
    block.write(
      block
        .reduce((sum, byte) => sum + byte, 0)
        .toString(8)
        .padStart(6, '0'),
      148,
      'latin1',
    );
  }
}
