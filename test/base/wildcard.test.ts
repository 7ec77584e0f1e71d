import { expect, it } from 'vitest';
import { matchesWildcard } from '../../src/base/wildcard.ts';

it.each([
  ['libGL.so.1', 'libGL.so.1', true],
  ['libGL.so.1', 'libGL.so.12', false],
  ['libQt*.so.?', 'libQt6Core.so.6', true],
  ['*', '', true],
  ['*.conf', '.conf', false],
  ['a*b*c', 'a-b-bc', true],
  ['a*b*c', 'a-b-b', false],
])('matchesWildcard(%s, %s) is %s', (pattern, name, expected) => {
  expect(matchesWildcard(pattern, name)).toBe(expected);
});

it('matchesWildcard() takes no more than the product of both lengths', () => {
  expect(matchesWildcard('*a'.repeat(2000), `${'a'.repeat(20_000)}b`)).toBe(false);
});
