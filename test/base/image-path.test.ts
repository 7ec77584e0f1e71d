import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { linkTarget, nameOf, parentOf, parseImagePath } from '../../src/base/image-path.ts';

describe('parseImagePath()', () => {
  it.each([
    ['/etc/passwd', 'etc/passwd'],
    ['./etc//x/', 'etc/x'],
    ['.', ''],
    ['a..b/...', 'a..b/...'],
  ])('reads %j', (text, path) => expect(parseImagePath(text)).toBe(path));

  it.each(['../x', 'a/../b', 'a/..', 'a\0b', `${'n'.repeat(256)}/x`, 'x/'.repeat(2100)])('refuses %j', (text) =>
    expect(parseImagePath(text)).toBeUndefined(),
  );

  it('never gives a path with `..`, an empty component or a slash in front', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[./a]{0,20}$/), (text) => {
        const path = parseImagePath(text);
        if (path === undefined || path === '') return;
        expect(path.split('/').every((name) => name !== '' && name !== '.' && name !== '..')).toBe(true);
      }),
    );
  });
});

describe('linkTarget()', () => {
  it.each([
    ['usr/lib/a.so', 'b.so', 'usr/lib/b.so'],
    ['usr/lib/a.so', '../../etc/x', 'etc/x'],
    ['a', '../../../etc/shadow', 'etc/shadow'],
    ['usr/bin/x', '/bin/./y', 'bin/y'],
    ['usr/x', '..', ''],
  ])('of %s to %s is %s', (path, target, result) => expect(linkTarget(path, target)).toBe(result));
});

describe('parentOf() and nameOf()', () => {
  it('split a path at its last slash', () => {
    expect([parentOf('a/b/c'), nameOf('a/b/c'), parentOf('a'), nameOf('a')]).toEqual(['a/b', 'c', '', 'a']);
  });
});
