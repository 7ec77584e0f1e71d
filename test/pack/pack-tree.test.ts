import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { extract } from 'tar-stream';
import type { Header } from 'tar-stream';
import { describe, expect, it } from 'vitest';
import type { Contents, Tree } from '../../src/assemble/tree.ts';
import { byteOrder } from '../../src/base/byte-order.ts';
import { digestOf } from '../../src/base/digest.ts';
import { packTree } from '../../src/pack/pack-tree.ts';
import { directory, file, filledTree, hardLink, symlink, TREES } from './trees.ts';
import type { TreePart } from './trees.ts';

function pack(tree: Tree, contents: Contents): Buffer {
  const chunks: Buffer[] = [];
  for (const chunk of packTree(tree, contents)) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

interface Member {
  readonly header: Header;
  readonly content: Buffer;
}

async function unpack(tar: Buffer): Promise<Member[]> {
  const reader = extract();
  reader.end(tar);
  const members: Member[] = [];
  for await (const member of reader) {
    const chunks: Buffer[] = [];
    for await (const chunk of member) if (chunk instanceof Uint8Array) chunks.push(Buffer.from(chunk));
    members.push({ header: member.header, content: Buffer.concat(chunks) });
  }
  return members;
}

interface ExpectedMember {
  readonly name: string;
  readonly type: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: number;
  readonly linkname: string | null;
  readonly content: string;
}

/** What any reader of the tar must find, in order. */
function expectedMembers(tree: Tree): ExpectedMember[] {
  const sorted = [...tree.values()].toSorted((a, b) => byteOrder(a.path, b.path));
  return sorted.map((entry) => {
    const { mode, uid, gid, mtime } = entry.kind === 'hardlink' ? (tree.get(entry.target) ?? entry) : entry;
    const linkname = 'target' in entry ? entry.target : null;
    const digest = digestOf('');
    const content = entry.kind === 'file' ? entry.digest : digest;
    return { name: entry.path, type: TYPES[entry.kind], mode, uid, gid, mtime, linkname, content };
  });
}

/** tar-stream does not read the pax keys `uid` and `gid`: it finds the 0 of the ustar header. Python reads them. */
function withoutPaxIds(member: ExpectedMember): ExpectedMember {
  const { uid, gid } = member;
  return { ...member, uid: uid > 2_097_151 ? 0 : uid, gid: gid > 2_097_151 ? 0 : gid };
}

const TYPES = { file: 'file', directory: 'directory', symlink: 'symlink', hardlink: 'link' } as const;

describe('packTree()', () => {
  it('gives the tree back to tar-stream, in byte order', async () => {
    await fc.assert(
      fc.asyncProperty(TREES, async ({ tree, contents }) => {
        const members = (await unpack(pack(tree, contents))).map(({ header, content }) => ({
          name: header.name.replace(/\/$/, ''),
          type: header.type,
          mode: header.mode,
          uid: header.uid,
          gid: header.gid,
          mtime: header.mtime instanceof Date ? header.mtime.getTime() / 1000 : header.mtime,
          linkname: header.linkname ?? null,
          content: digestOf(content),
        }));
        expect(members).toEqual(expectedMembers(tree).map(withoutPaxIds));
      }),
      { numRuns: 200 },
    );
  });

  it('gives the same bytes however the map is ordered', () => {
    fc.assert(
      fc.property(TREES, fc.infiniteStream(fc.nat()), ({ tree, contents }, keys) => {
        const shuffled = [...tree].map((pair) => ({ pair, key: keys.next().value ?? 0 }));
        const reordered = new Map(shuffled.toSorted((a, b) => a.key - b.key).map(({ pair }) => pair));
        expect(pack(reordered, contents).equals(pack(tree, contents))).toBe(true);
      }),
    );
  });

  it('gives the same bytes in whatever chunks contents come', () => {
    const content = Buffer.alloc(3_000_000, 'abcdefg');
    const parts = [directory('a'), file('a/one', content), file('a/two', content.subarray(5)), file('b', '')];
    const tars = [1000, 65_536, 300_000, 5_000_000].map((chunkBytes) => {
      const { tree, contents } = filledTree(parts, chunkBytes);
      return digestOf(pack(tree, contents));
    });
    expect(new Set(tars).size).toBe(1);
  });

  it('puts two zero blocks after the last member and nothing else', () => {
    const { tree, contents } = filledTree([]);
    expect(pack(tree, contents).equals(Buffer.alloc(1024))).toBe(true);
    const one = filledTree([file('a', 'x')]);
    expect(pack(one.tree, one.contents)).toHaveLength(4 * 512);
  });

  it('has one digest for ever for this tree', () => {
    const { tree, contents } = filledTree([
      directory('etc'),
      file('etc/motd', 'hello\n'),
      hardLink('etc/motd.again', 'etc/motd'),
      symlink('etc/é', '/etc/motd'),
      directory('tmp', { mode: 0o1777, uid: 3_000_000 }),
    ]);
    expect(digestOf(pack(tree, contents))).toBe(GOLDEN);
  });

  it('yields chunks of at least 256 KiB, the last one aside', () => {
    const small = Array.from({ length: 5000 }, (_, index) => file(`f${index}`, `content ${index}`));
    const { tree, contents } = filledTree([...small, file('large', Buffer.alloc(2_000_000))], 65_536);
    const sizes = Array.from(packTree(tree, contents), ({ length }) => length);
    expect(Math.min(...sizes.slice(0, -1))).toBeGreaterThanOrEqual(256 * 1024);
  });

  it.each<[string, TreePart, RegExp]>([
    ['a file without its folder', file('a/b', 'x'), /`a` is not a folder of the image/],
    ['a hard link to a missing file', hardLink('a', 'b'), /not a file that comes before it/],
    ['a path that leaves the image', file('../b', 'x'), /is not a path in an image/],
    ['a path with an empty component', file('a//b', 'x'), /is not a path in an image/],
    ['an absolute path', file('/etc/passwd', 'x'), /is not a path in an image/],
    ['the root', directory(''), /is not a path in an image/],
    ['a set-group-ID bit', file('a', 'x', { mode: 0o2755 }), /mode of 2755/],
  ])('refuses %s', (_, part, message) => {
    const { tree, contents } = filledTree([part]);
    expect(() => pack(tree, contents)).toThrow(message);
  });

  it('refuses a hard link that comes before its file', () => {
    const { tree, contents } = filledTree([file('b', 'x'), hardLink('a', 'b')]);
    expect(() => pack(tree, contents)).toThrow(/not a file that comes before it/);
  });

  it.each([
    ['fewer', -1],
    ['more', 1],
  ])('refuses contents of %s bytes than the file has', (_, change) => {
    const [entry, bytes] = file('a', 'four');
    const { tree, contents } = filledTree([[{ ...entry, size: bytes.length + change }, bytes]]);
    expect(() => pack(tree, contents)).toThrow(/`a`: the store does not give the/);
  });
});

const GOLDEN = 'sha256:2d86c6f25ca2c6265019aaac5dbf0ad24afaa8a6d0fbddc8d53bebdb2271aa0c';

const LIST_BY_PYTHON = `
import sys, tarfile, json, hashlib
kinds = {tarfile.REGTYPE: 'file', tarfile.LNKTYPE: 'link', tarfile.SYMTYPE: 'symlink', tarfile.DIRTYPE: 'directory'}
with tarfile.open(sys.argv[1]) as tar:
    print(json.dumps([{
        'name': m.name, 'type': kinds[m.type], 'mode': m.mode, 'uid': m.uid, 'gid': m.gid, 'mtime': m.mtime,
        'linkname': m.linkname or None,
        'content': 'sha256:' + hashlib.sha256(tar.extractfile(m).read() if m.isreg() else b'').hexdigest(),
    } for m in tar]))
`;

describe('other readers of a packed tree', () => {
  const samples = fc.sample(TREES, { numRuns: 8, seed: 7 });

  it.each(samples)('python reads tree %#', ({ tree, contents }) => {
    withTar(pack(tree, contents), (path) => {
      const listed: unknown = JSON.parse(execFileSync('python3', ['-c', LIST_BY_PYTHON, path], { encoding: 'utf8' }));
      expect(listed).toEqual(expectedMembers(tree));
    });
  });

  it.each(samples)('GNU tar lists tree %#', ({ tree, contents }) => {
    withTar(pack(tree, contents), (path) => {
      const args = ['-tf', path, '--quoting-style=literal'];
      const names = execFileSync('tar', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
      expect(
        names
          .split('\n')
          .slice(0, -1)
          .map((name) => name.replace(/\/$/, '')),
      ).toEqual([...tree.keys()].toSorted(byteOrder));
    });
  });
});

function withTar(tar: Buffer, use: (path: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), 'rootcellar-pack-'));
  try {
    writeFileSync(join(folder, 'x.tar'), tar);
    use(join(folder, 'x.tar'));
  } finally {
    rmSync(folder, { recursive: true });
  }
}
