import { describe, expect, it } from 'vitest';
import { LARGEST_HEADER, splitUstarPath, writeHeader } from '../../src/pack/tar-header.ts';
import type { TarMember } from '../../src/pack/tar-header.ts';

const FILE: TarMember = { path: 'etc/motd', type: 'file', size: 5, mode: 0o644, uid: 0, gid: 0, mtime: 1, link: '' };

function header(changes: Partial<TarMember>): Buffer {
  const target = Buffer.alloc(LARGEST_HEADER, 0xaa);
  return target.subarray(0, writeHeader(target, 0, { ...FILE, ...changes }));
}

describe('writeHeader()', () => {
  it('writes every ustar field by hand-checked bytes', () => {
    const expected = Buffer.alloc(512);
    expected.write('etc/motd', 0);
    expected.write('0000644\0', 100);
    expected.write('0000000\0', 108);
    expected.write('0000000\0', 116);
    expected.write('00000000005\0', 124);
    expected.write('00000000001\0', 136);
    expected.write('010642\0 ', 148);
    expected.write('0', 156);
    expected.write('ustar\x0000', 257);
    expected.write('0000000\0', 329);
    expected.write('0000000\0', 337);
    expect(header({}).toString('latin1')).toBe(expected.toString('latin1'));
  });

  it('writes a checksum that is the sum of all bytes with the field as spaces', () => {
    const block = header({ path: `${'p'.repeat(60)}/${'n'.repeat(90)}`, size: 8 ** 11 - 1, mode: 0o1777 });
    const stated = Number.parseInt(block.toString('latin1', 148, 154), 8);
    block.fill(0x20, 148, 156);
    expect(stated).toBe(block.reduce((sum, byte) => sum + byte, 0));
  });

  it('needs no pax header for a path of 100 bytes, a link of 100 bytes, 8 GiB less a byte and uid 2097151', () => {
    const edge = { path: 'n'.repeat(100), link: 'l'.repeat(100), type: 'symlink', size: 8 ** 11 - 1 } as const;
    expect(header({ ...edge, uid: 2_097_151, gid: 2_097_151 })).toHaveLength(512);
  });

  it.each([
    ['a path without a place to split', { path: 'n'.repeat(101) }, `111 path=${'n'.repeat(101)}\n`],
    ['a path beyond ASCII', { path: 'ä' }, '11 path=ä\n'],
    ['a link of 101 bytes', { type: 'symlink', link: 'l'.repeat(101) }, `115 linkpath=${'l'.repeat(101)}\n`],
    ['8 GiB', { size: 8 ** 11 }, '19 size=8589934592\n'],
    ['uid 2097152', { uid: 2_097_152 }, '15 uid=2097152\n'],
    ['gid and uid', { gid: 3_000_000, uid: 4_000_000 }, '15 gid=3000000\n15 uid=4000000\n'],
  ] as const)('writes a pax header for %s', (_, changes, records) => {
    const blocks = header(changes);
    expect(blocks).toHaveLength(3 * 512);
    expect(blocks.toString('latin1', 0, 15)).toBe('././@PaxHeader\0');
    expect(blocks.toString('latin1', 156, 157)).toBe('x');
    expect(blocks.subarray(512, 1024).toString().replace(/\0+$/, '')).toBe(records);
  });

  it('counts the digits of a pax record that its own length makes longer', () => {
    const path = `${'d'.repeat(88)}é`;
    expect(header({ path }).subarray(512).toString()).toMatch(/^99 path=d{88}é\n\0/);
    expect(
      header({ path: `d${path}` })
        .subarray(512)
        .toString(),
    ).toMatch(/^101 path=d{89}é\n\0/);
  });

  it('fits into LARGEST_HEADER with the longest path and link', () => {
    const long = `${'é'.repeat(120)}/`.repeat(17).slice(0, 2040);
    expect(header({ path: long, link: long, type: 'symlink', uid: 2 ** 31, gid: 2 ** 31 }).length).toBeLessThanOrEqual(
      LARGEST_HEADER,
    );
  });

  it.each([
    ['a set-user-ID bit', { mode: 0o4755 }, /mode of 4755/],
    ['a time before 1970', { mtime: -1 }, /modification time -1/],
    ['a time that is no whole number', { mtime: 1.5 }, /modification time 1\.5/],
    ['a time of twelve octal digits', { mtime: 8 ** 11 }, /modification time/],
    ['no uid', { uid: Number.NaN }, /uid NaN/],
    ['uid -1', { uid: 2 ** 32 - 1 }, /uid 4294967295/],
    ['a NUL in its path', { path: 'a\0b' }, /NUL/],
    ['half a surrogate pair', { path: 'a\ud800' }, /UTF-8/],
    ['an empty path', { path: '' }, /empty path/],
    ['a link to nowhere', { type: 'symlink', link: '' }, /link to nowhere/],
    ['a target of 5000 bytes', { type: 'symlink', link: 'x'.repeat(5000) }, /4096 bytes/],
  ] as const)('refuses %s', (_, changes, message) => {
    expect(() => header(changes)).toThrow(message);
  });
});

describe('splitUstarPath()', () => {
  it.each([
    ['a/b', { name: 'a/b', prefix: '' }],
    [`${'p'.repeat(155)}/${'n'.repeat(100)}`, { name: 'n'.repeat(100), prefix: 'p'.repeat(155) }],
    [`a/${'n'.repeat(49)}/${'m'.repeat(49)}`, { name: `${'n'.repeat(49)}/${'m'.repeat(49)}`, prefix: 'a' }],
    [`${'p'.repeat(156)}/${'n'.repeat(100)}`, undefined],
    [`${'p'.repeat(10)}/${'n'.repeat(101)}`, undefined],
    [`${'n'.repeat(100)}/`, undefined],
    [`${'p'.repeat(50)}/${'n'.repeat(99)}/`, { name: `${'n'.repeat(99)}/`, prefix: 'p'.repeat(50) }],
    ['é', undefined],
  ])('splits %s', (path, expected) => {
    expect(splitUstarPath(path)).toEqual(expected);
  });
});
