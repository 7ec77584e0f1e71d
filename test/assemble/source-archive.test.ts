import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { memorySource } from '../../src/assemble/byte-source.ts';
import { readSourceArchive } from '../../src/assemble/source-archive.ts';
import { sourceTree, type SourceTree } from '../../src/assemble/source-tree.ts';
import { LARGEST_HEADER, writeHeader } from '../../src/pack/tar-header.ts';
import { toySdist, type ToyMember } from '../support/toy-source.ts';
import { rawZip } from './raw-archives.ts';

async function read(members: readonly ToyMember[]): Promise<SourceTree> {
  return await readSourceArchive(memorySource(await toySdist(members)), 'x-1.tar.gz');
}

describe('readSourceArchive()', () => {
  it('reads files, modes and links of a tar, below its one folder', async () => {
    const tree = await read([
      ['x-1/', { type: 'directory' }],
      ['x-1/b.py', 'b'],
      ['./x-1/a/run', { type: 'file', size: 0, mode: 0o711 }],
      ['x-1/same.py', { type: 'link', linkname: 'x-1/b.py' }],
      ['x-1/a/up', { type: 'symlink', linkname: '../b.py' }],
      ['x-1/empty/', { type: 'directory' }],
    ]);
    expect([...tree.entries]).toEqual([
      ['a/run', { kind: 'file', content: new Uint8Array(), isExecutable: true }],
      ['a/up', { kind: 'symlink', target: '../b.py' }],
      ['b.py', { kind: 'file', content: Uint8Array.from(Buffer.from('b')), isExecutable: false }],
      ['empty', { kind: 'directory' }],
      ['same.py', { kind: 'file', content: Uint8Array.from(Buffer.from('b')), isExecutable: false }],
    ]);
    expect(tree.time).toBe(1_600_000_000);
  });

  it('reads a zip', async () => {
    const zip = rawZip([{ name: 'x-1/' }, { name: 'x-1/setup.py', content: 'pass' }]);
    const tree = await readSourceArchive(memorySource(zip), 'x-1.zip');
    expect([...tree.entries.keys()]).toEqual(['setup.py']);
  });

  it.each<[string, readonly ToyMember[], RegExp]>([
    ['a path that leaves the folder', [['x-1/../../etc/passwd', 'x']], /not acceptable/],
    ['an absolute path', [['/etc/passwd', 'x']], /not acceptable|one folder/],
    [
      'a second top folder',
      [
        ['x-1/a', 'x'],
        ['y/b', 'x'],
      ],
      /not all in one folder/,
    ],
    ['a file as the top', [['x', 'x']], /not all in one folder/],
    ['a link out of the folder', [['x-1/a', { type: 'symlink', linkname: '../../etc' }]], /leaves the folder/],
    ['an absolute link', [['x-1/a', { type: 'symlink', linkname: '/etc/passwd' }]], /leaves the folder/],
    [
      'a link out by way of a folder',
      [['x-1/a/b', { type: 'symlink', linkname: 'c/../../../etc' }]],
      /leaves the folder/,
    ],
    [
      'a file below a link',
      [
        ['x-1/a', { type: 'symlink', linkname: 'b' }],
        ['x-1/a/c', 'x'],
      ],
      /which is no folder/,
    ],
    ['a hard link to nothing', [['x-1/a', { type: 'link', linkname: '/etc/passwd' }]], /hard link/],
    ['a device', [['x-1/a', { type: 'character-device', devmajor: 1, devminor: 3 }]], /device/],
    ['a pipe', [['x-1/a', { type: 'fifo' }]], /device or a pipe/],
    [
      'a path twice',
      [
        ['x-1/a', '1'],
        ['x-1/a', '2'],
      ],
      /comes twice/,
    ],
    ['a repository of git inside', [['x-1/.git/config', 'x']], /not acceptable/],
    ['a control character', [['x-1/a\u001bb', 'x']], /not acceptable/],
    ['a backslash', [['x-1/a\\b', 'x']], /not acceptable/],
  ])('refuses %s', async (_, members, fault) => {
    await expect(read(members)).rejects.toMatchObject({
      code: 'E_ARTIFACT_INVALID',
      message: expect.stringMatching(fault),
    });
  });

  it('refuses a bomb before it is in memory', async () => {
    const header = Buffer.alloc(LARGEST_HEADER);
    const facts = { mode: 0o644, uid: 0, gid: 0, mtime: 0, link: '' };
    const used = writeHeader(header, 0, { ...facts, path: 'x-1/a', type: 'file', size: 1.9e9 });
    const zeros = gzipSync(Buffer.alloc(64 * 1024 ** 2), { level: 6 });
    const bomb = Buffer.concat([gzipSync(header.subarray(0, used)), ...Array.from({ length: 29 }, () => zeros)]);
    const before = process.memoryUsage().rss;
    await expect(readSourceArchive(memorySource(bomb), 'x-1.tar.gz')).rejects.toMatchObject({
      message: 'x-1.tar.gz: it unpacks to far too much',
    });
    expect(process.memoryUsage().rss - before).toBeLessThan(1100 * 1024 ** 2);
  });

  it.each([
    ['no gzip', Buffer.from('junk'), 'x-1.tar.gz'],
    ['an empty file', Buffer.alloc(0), 'x-1.tar.gz'],
    ['a tar that is cut off', gzipSync(Buffer.alloc(700, 65)), 'x-1.tar.gz'],
    ['no zip', Buffer.from('PK'), 'x-1.zip'],
  ])('refuses %s', async (_, bytes, file) => {
    await expect(readSourceArchive(memorySource(bytes), file)).rejects.toMatchObject({ code: 'E_ARTIFACT_INVALID' });
  });
});

describe('sourceTree()', () => {
  it('refuses far too many files', () => {
    const file = { kind: 'file', content: new Uint8Array(), isExecutable: false } as const;
    const named = Array.from({ length: 100_001 }, (_, index) => [`${index}`, file] as const);
    expect(() => sourceTree(named, 0)).toThrow(/far too much/);
    expect(sourceTree(named.slice(1), 0).entries.size).toBe(100_000);
  });
});
