import { expect, it } from 'vitest';
import { digestFromHex, digestOf, hexOf, isDigest, shortDigest } from '../../src/base/digest.ts';

const OF_ABC = 'sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';

it('digestOf() gives the sha256 of FIPS 180-2, example B.1', () => {
  expect(digestOf('abc')).toBe(OF_ABC);
  expect(shortDigest(digestOf('abc'))).toBe('ba7816bf8f01');
});

it('isDigest() wants 64 lower-case hex digits', () => {
  expect([OF_ABC, OF_ABC.toUpperCase(), `${OF_ABC}0`, 'sha256:', `${OF_ABC}\n`].map(isDigest)).toEqual([
    true,
    false,
    false,
    false,
    false,
  ]);
});

it('digestFromHex() takes either case and nothing else', () => {
  expect(digestFromHex(hexOf(digestOf('abc')).toUpperCase())).toBe(OF_ABC);
  expect(digestFromHex('abc')).toBeUndefined();
});
