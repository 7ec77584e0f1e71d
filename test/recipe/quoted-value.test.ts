import { expect, it } from 'vitest';
import { printable, quotedValue, quotedWord } from '../../src/recipe/quoted-value.ts';

it('quotedValue() shows each kind of value', () => {
  const shown = ['www', 12, true, null, undefined, [1], { a: 1 }].map(quotedValue);
  expect(shown).toEqual(['`"www"`', '`12`', '`true`', 'nothing', 'nothing', 'a list', 'a map']);
});

it('quotedValue() shortens long text and keeps it on one line', () => {
  expect(quotedValue('a\nb')).toBe('`"a\\nb"`');
  expect(quotedValue('x'.repeat(1000))).toBe(`\`"${'x'.repeat(60)}…"\``);
});

it('printable() shows characters that hide or reorder text as escapes', () => {
  expect(printable('a\u202eb\u200bc\u009bd\ufeff')).toBe('a\\u202eb\\u200bc\\u009bd\\ufeff');
});

it('quotedWord() writes no quotes', () => {
  expect(quotedWord('numpy"\t')).toBe('`numpy\\"\\t`');
});
