import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { scanJson } from '../../src/serve/go-json-scan.ts';
import { goJson } from '../../src/serve/go-json.ts';

describe('goJson()', () => {
  it('keeps the order of members, and escapes what HTML and JavaScript would mind', () => {
    expect(goJson({ b: [1, true, null], a: '</script>\u2028&\u2029' })).toBe(
      String.raw`{"b":[1,true,null],"a":"\u003c/script\u003e\u2028\u0026\u2029"}`,
    );
    expect(goJson('\b\f\n\r\t\u0001\u007f')).toBe(`"\\b\\f\\n\\r\\t\\u0001\u007f"`);
  });

  it('gives any text back', () => {
    const property = fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(JSON.parse(goJson(text))).toBe(text);
      expect(goJson(Buffer.from(text))).toBe(goJson(text));
    });
    fc.assert(property);
  });

  // As json.Marshal of Go 1.26 writes them.
  it.each([
    [[0xff], String.raw`"\ufffd"`],
    [[0xe2, 0x82], String.raw`"\ufffd\ufffd"`],
    [[0x61, 0xc0, 0x80, 0x62], String.raw`"a\ufffd\ufffdb"`],
    [[0xed, 0xa0, 0x80], String.raw`"\ufffd\ufffd\ufffd"`],
    [[0xf0, 0x9f, 0x98, 0x3c], String.raw`"\ufffd\ufffd\ufffd\u003c"`],
    [[0xef, 0xbf, 0xbd, 0xff], `"\ufffd\\ufffd"`],
  ])('replaces each byte of %j that begins no character', (bytes, text) => {
    expect(goJson(Buffer.from(bytes))).toBe(text);
  });
});

describe('scanJson()', () => {
  it('ends where the first value does, whatever the text', () => {
    const property = fc.property(fc.json(), (text) => {
      const bytes = Buffer.from(text).toString('latin1');
      expect(scanJson(`${bytes} x`)).toEqual({ end: bytes.trimEnd().length });
    });
    fc.assert(property);
  });

  it('finds fault with just what JSON.parse does', () => {
    const anything = fc.string({ unit: fc.constantFrom(...'{}[]",:\\u0123tfnaelrs-+.eE \n'.split('')), maxLength: 12 });
    const property = fc.property(anything, (text) => {
      const scan = scanJson(text);
      const whole = 'end' in scan && text.slice(scan.end).trim() === '';
      expect(whole).toBe(isJson(text));
    });
    fc.assert(property, { numRuns: 2000 });
  });

  // As json.Decoder of Go 1.26 says them.
  it.each([
    ['', 'EOF'],
    [' \n', 'EOF'],
    ['{', 'unexpected EOF'],
    ['"a', 'unexpected EOF'],
    ['x', "invalid character 'x' looking for beginning of value"],
    ['{1', "invalid character '1' looking for beginning of object key string"],
    ['{"a" 1', "invalid character '1' after object key"],
    ['{"a":1 2', "invalid character '2' after object key:value pair"],
    ['[1 2', "invalid character '2' after array element"],
    ['"\n"', String.raw`invalid character '\n' in string literal`],
    [String.raw`"\x"`, "invalid character 'x' in string escape code"],
    [String.raw`"\u12g"`, String.raw`invalid character 'g' in \u hexadecimal character escape`],
    ['-x', "invalid character 'x' in numeric literal"],
    ['1.x', "invalid character 'x' after decimal point in numeric literal"],
    ['1ex', "invalid character 'x' in exponent of numeric literal"],
    ['trux', "invalid character 'x' in literal true (expecting 'e')"],
    ["'", String.raw`invalid character '\'' looking for beginning of value`],
  ])('%j', (text, fault) => {
    expect(scanJson(text)).toEqual({ fault });
  });

  it('does not go as deep as a request wants', () => {
    expect(scanJson('['.repeat(1_000_000))).toEqual({ fault: 'exceeded max depth' });
  });
});

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
