import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseDeb822, parseStanza, stanzaTexts, wordsOf } from '../../src/resolve/deb822.ts';

async function* inPieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function collect(chunks: AsyncIterable<string>): Promise<string[]> {
  const all: string[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return all;
}

describe('parseStanza()', () => {
  it('reads fields by lower-case name, with continuation lines', () => {
    const stanza = parseStanza('Package: a\nDescription: one\n two\n .\nSize:5\n# Size: 6');
    expect([...stanza]).toEqual([
      ['package', 'a'],
      ['description', 'one\ntwo\n.'],
      ['size', '5'],
    ]);
  });

  it('ignores a continuation line without a field', () => {
    expect(parseStanza(' x\nA: 1').size).toBe(1);
  });
});

describe('parseDeb822()', () => {
  it('separates stanzas at blank lines, also those with blanks or CR LF', () => {
    expect(parseDeb822('\nA: 1\n \t\nA: 2\r\n\r\nA: 3\n').map((stanza) => stanza.get('a'))).toEqual(['1', '2', '3']);
  });

  it('never throws, whatever it is given', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(Array.isArray(parseDeb822(text))).toBe(true);
      }),
    );
  });

  it('finds the fields that a stanza was written with', () => {
    const name = fc.stringMatching(/^[A-Za-z][A-Za-z0-9-]{0,8}$/);
    const value = fc.stringMatching(/^[!-~]{0,12}$/);
    fc.assert(
      fc.property(fc.dictionary(name, value), (fields) => {
        const lower = new Map(Object.entries(fields).map(([key, text]) => [key.toLowerCase(), text]));
        const text = [...lower].map(([key, line]) => `${key}: ${line}\n`).join('');
        expect(new Map(parseStanza(text))).toEqual(lower);
      }),
    );
  });
});

describe('wordsOf()', () => {
  it('splits at blanks and line feeds', () => {
    expect(wordsOf(parseStanza('Suites: a  b\n c'), 'Suites')).toEqual(['a', 'b', 'c']);
  });

  it('gives nothing for a field that is not there', () => {
    expect(wordsOf(parseStanza(''), 'Suites')).toEqual([]);
  });
});

describe('stanzaTexts()', () => {
  it('gives the same stanzas however the bytes are cut', async () => {
    const text = 'A: ä\nB: 2\n\nA: €\n\n\nA: 𝄞\n';
    const expected = ['A: ä\nB: 2', 'A: €', '\nA: 𝄞\n'];
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 40 }), async (size) => {
        const found = await collect(stanzaTexts(inPieces(Buffer.from(text), size)));
        expect(found).toEqual(expected);
      }),
    );
  });

  it('refuses a stanza that has no end', async () => {
    const endless = inPieces(Buffer.alloc(5 * 1024 ** 2, 'x'), 1024 ** 2);
    await expect(collect(stanzaTexts(endless))).rejects.toThrow('4 MiB');
  });
});
