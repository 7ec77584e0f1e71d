import { describe, expect, it } from 'vitest';
import { memorySource } from '../../src/assemble/byte-source.ts';
import { readPackedSource } from '../../src/assemble/source-archive.ts';
import { sourceTree, type SourceEntry } from '../../src/assemble/source-tree.ts';
import { digestOf } from '../../src/base/digest.ts';
import { packSource } from '../../src/pack/source-tar.ts';

const ENTRIES: readonly (readonly [string, SourceEntry])[] = [
  ['src/a.py', { kind: 'file', content: Uint8Array.from(Buffer.from('x = 1\n')), isExecutable: false }],
  ['run', { kind: 'file', content: Uint8Array.from(Buffer.alloc(512, 1)), isExecutable: true }],
  ['link', { kind: 'symlink', target: 'src/a.py' }],
  ['empty', { kind: 'directory' }],
  [`long/${'n'.repeat(200)}.py`, { kind: 'file', content: new Uint8Array(), isExecutable: false }],
];

describe('packSource()', () => {
  it('is read back as the same tree', async () => {
    const tree = sourceTree(ENTRIES, 1_600_000_000);
    const read = await readPackedSource(memorySource(packSource(tree)), 'x.tar');
    expect(read).toEqual(tree);
  });

  it('gives the same bytes for the same files in any order, for ever', () => {
    const digest = digestOf(packSource(sourceTree(ENTRIES, 1_600_000_000)));
    expect(digestOf(packSource(sourceTree(ENTRIES.toReversed(), 1_600_000_000)))).toBe(digest);
    expect(digest).toBe('sha256:ec6ec7ebedc0a896b5c4c650d2af69d2b1c6ce8c2a6e619a2020c5ed528600da');
  });
});

describe('sourceTree()', () => {
  it.each([
    [-5, 315_532_800],
    [1.5e9 + 0.7, 1.5e9],
    [1e12, 4_354_819_199],
  ])('brings the time %d to what a zip can hold', (time, kept) => {
    expect(sourceTree([], time).time).toBe(kept);
  });
});
