import { expect, it } from 'vitest';
import { byteOrder } from '../../src/base/byte-order.ts';
import { canonicalJson } from '../../src/base/canonical-json.ts';
import { digestOf } from '../../src/base/digest.ts';
import { globFault } from '../../src/recipe/glob.ts';
import { TRIM_SETS, TRIM_SET_NAMES } from '../../src/recipe/trim-sets.ts';

it('TRIM_SETS are in byte order of name, and of globs that a recipe could have', () => {
  expect(TRIM_SET_NAMES).toEqual(TRIM_SET_NAMES.toSorted(byteOrder));
  const faults = TRIM_SETS.flatMap(({ globs, keep }) => [...globs, ...keep].map(globFault));
  expect(faults.filter((fault) => fault !== undefined)).toEqual([]);
});

it('TRIM_SETS of format 1 mean what they have always meant', () => {
  const globs = TRIM_SETS.map(({ name, globs: taken, keep, keepsImported }) => [name, taken, keep, keepsImported]);
  expect(digestOf(canonicalJson(globs))).toBe(
    'sha256:556d092e3ea6e9582b32d6d37b0ecd33a57e7a303e32a6e5589cba2d900a664d',
  );
});
