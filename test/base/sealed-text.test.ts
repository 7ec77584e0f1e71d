import { expect, it } from 'vitest';
import { sealed, unsealed } from '../../src/base/sealed-text.ts';

it('sealed() gives what unsealed() takes, whole and unchanged only', () => {
  const text = sealed('a text, ä');
  expect(unsealed(text)).toBe('a text, ä');
  for (const other of ['', text.slice(0, -1), `${text} `, text.replace('ä', 'a'), text.slice(0, 64)]) {
    expect(unsealed(other)).toBeUndefined();
  }
});
