import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseJson } from '../../src/lock/json-text.ts';

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

describe('parseJson()', () => {
  it('reads what JSON.parse reads', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), fc.constantFrom(0, 2), (value, indent) => {
        const text = JSON.stringify(value, undefined, indent);
        expect(parseJson(text)).toEqual({ value: JSON.parse(text) });
      }),
    );
  });

  it('refuses what JSON.parse refuses', () => {
    const stricter = new Set(['a key is there twice', 'a number is too large']);
    const piece = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"a"',
      '"b"',
      '1',
      '-',
      '01',
      '1.',
      '1e5',
      'true',
      'nul',
      ' ',
      '"\n"',
      '"\\u12"',
      '"\\x"',
      '"\\"',
      '\u00a0',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
        const text = pieces.join('');
        const read = parseJson(text);
        if ('fault' in read && stricter.has(read.fault)) return;
        expect('value' in read).toBe(isJson(text));
      }),
      { numRuns: 5000 },
    );
  });

  it.each([
    ['', 'the text ends too early', 0],
    ['{"a": 1,}', 'expected a key in double quotes', 8],
    ['{"a": 1, "a": 2}', 'a key is there twice', 9],
    ['{"a" 1}', 'expected `:`', 5],
    ['[1 2]', 'expected `,` or `]`', 3],
    ['{} x', 'something follows the end', 3],
    ['"abc', 'a string has no closing quote', 0],
    ['"a\tb"', 'a string holds a control character or an unknown escape', 0],
    ['[1e999]', 'a number is too large', 1],
    ['[nope]', 'not a JSON value', 1],
    ['['.repeat(1e6), 'values are nested too deep', 33],
  ])('says what is wrong with %.20j, and where', (text, fault, at) => {
    expect(parseJson(text)).toEqual({ fault, at });
  });

  it('keeps a member named __proto__ a plain member', () => {
    const read = parseJson('{"__proto__": {"x": 1}}');
    expect('value' in read && Object.keys(Object(read.value))).toEqual(['__proto__']);
  });

  it('reads a string of many megabytes', () => {
    const text = JSON.stringify('\\"x'.repeat(5e6));
    expect(parseJson(text)).toEqual({ value: JSON.parse(text) });
  });
});
