import { describe, expect, it } from 'vitest';
import { digestOf } from '../../src/base/digest.ts';
import { hostBytes, lockedHostFiles } from '../../src/lock/locked-artifacts.ts';

describe('hostBytes()', () => {
  it('names each content once, by the first path that has it; links, folders and what is left out need none', () => {
    const digest = digestOf('x');
    const files = lockedHostFiles({
      files: [
        { kind: 'file', path: '/a', mode: 0o644, size: 1, digest },
        { kind: 'folder', path: '/b' },
        { kind: 'file', path: '/c', mode: 0o755, size: 1, digest },
        { kind: 'link', path: '/d', target: 'a' },
        { kind: 'file', path: '/e', mode: 0o644, size: 0, digest: digestOf('') },
        { kind: 'left_out', path: '/f' },
      ],
    });
    expect(files.map(({ path }) => path)).toEqual(['/a', '/c', '/e']);
    expect(hostBytes(files)).toEqual([
      { kind: 'host', name: '/a', version: '', size: 1, digest },
      { kind: 'host', name: '/e', version: '', size: 0, digest: digestOf('') },
    ]);
  });
});
