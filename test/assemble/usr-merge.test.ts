import { describe, expect, it } from 'vitest';
import { mergedPath, mergedTarget, relativePath } from '../../src/assemble/usr-merge.ts';

describe('mergedPath()', () => {
  it.each([
    ['bin/sh', 'usr/bin/sh'],
    ['lib64/ld.so', 'usr/lib64/ld.so'],
    ['lib', 'lib'],
    ['libexec/x', 'libexec/x'],
    ['usr/lib/x', 'usr/lib/x'],
    ['opt/bin/x', 'opt/bin/x'],
  ])('maps %s to %s', (path, merged) => {
    expect(mergedPath(path)).toBe(merged);
  });
});

describe('mergedTarget()', () => {
  it.each([
    ['lib/a/x', 'y', 'y'],
    ['lib/a/x', '/usr/y', '/usr/y'],
    ['lib/a/x', '../../usr/share/y', '../../share/y'],
    ['usr/lib/x', '../../lib/y', '../../lib/y'],
    ['etc/rmt', '/usr/sbin/rmt', '/usr/sbin/rmt'],
    ['bin/x', '../etc/y', '../../etc/y'],
    ['lib/x', '..', '../..'],
  ])('of %s to %s is %s', (path, target, merged) => {
    expect(mergedTarget(path, target)).toBe(merged);
  });
});

describe('relativePath()', () => {
  it.each([
    ['usr/local/lib', 'usr/local/bin/x', '../bin/x'],
    ['', 'etc/x', 'etc/x'],
    ['a/b', 'a/b', '.'],
  ])('from %s to %s is %s', (from, to, path) => {
    expect(relativePath(from, to)).toBe(path);
  });
});
