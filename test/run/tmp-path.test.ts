import { describe, expect, it } from 'vitest';
import { tmpNames, tmpPathText } from '../../src/run/tmp-path.ts';

describe('tmpNames()', () => {
  it.each<[string, readonly string[]]>([
    ['a', ['a']],
    ['./a//b/', ['a', 'b']],
    ['/tmp/a', ['a']],
    ['/tmp', []],
    ['.', []],
    ['tmp', ['tmp']],
    ['...', ['...']],
    ['a\nb', ['a\nb']],
  ])('reads %j', (path, names) => {
    expect(tmpNames('file', path)).toEqual(names);
  });

  it.each([
    ['', 'is no path'],
    ['a\0b', 'has a NUL character in it'],
    ['../a', 'leads up by `..`'],
    ['/tmp/../etc/passwd', 'leads up by `..`'],
    ['/etc/passwd', 'is not below /tmp'],
    ['/tmpx', 'is not below /tmp'],
    ['/', 'is not below /tmp'],
    ['n'.repeat(256), 'is too long'],
    ['é'.repeat(128), 'is too long'],
    ['n/'.repeat(2049), 'is too long'],
  ])('refuses %j', (path, fault) => {
    expect(() => tmpNames('file', path)).toThrow(
      expect.objectContaining({ code: 'E_USAGE', message: expect.stringMatching(new RegExp(`^file: .* ${fault}$`)) }),
    );
  });
});

it('tmpPathText() names /tmp itself by a dot', () => {
  expect([tmpPathText([]), tmpPathText(['a', 'b'])]).toEqual(['.', 'a/b']);
});
