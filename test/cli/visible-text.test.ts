import { expect, it } from 'vitest';
import { visibleText, visibleWord } from '../../src/cli/visible-text.ts';

it('visibleText() shows what a terminal would obey, and keeps lines and letters', () => {
  expect(visibleText('a\u001b[31m\u009b2J\r\u007f\u0000\u202eb\n\té→')).toBe(
    'a\\u{1b}[31m\\u{9b}2J\\u{d}\\u{7f}\\u{0}\\u{202e}b\n\té→',
  );
});

it('visibleWord() stays on its line, too', () => {
  expect(visibleWord('a\u001b\n\té→')).toBe('a\\u{1b}\\u{a}\\u{9}é→');
});
