import { expect, it } from 'vitest';
import { closestWord } from '../../src/base/closest-word.ts';

it.each([
  ['pakages', 'packages'],
  ['nmae', 'name'],
  ['Suite', 'suite'],
  ['zzz', undefined],
  ['', undefined],
])('closestWord() takes %j for %j', (word, meant) => {
  expect(closestWord(word, ['name', 'packages', 'suite', 'sandbox'])).toBe(meant);
});
