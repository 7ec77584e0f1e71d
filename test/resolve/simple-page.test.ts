import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseSimpleHtml, parseSimpleJson } from '../../src/resolve/simple-page.ts';

const HEX = 'ab'.repeat(32);
const BASE = 'https://i.example/simple/a/';

describe('parseSimpleJson()', () => {
  it('reads a file with everything', () => {
    const file = {
      filename: 'a-1-py3-none-any.whl',
      url: '../../f/a-1-py3-none-any.whl',
      hashes: { sha256: HEX },
      size: 5,
      'upload-time': '2026-11-15T21:30:44.9Z',
      yanked: 'broken',
      'requires-python': '>=3.9',
    };
    expect(parseSimpleJson(JSON.stringify({ files: [file] }), BASE)).toEqual([
      {
        file: 'a-1-py3-none-any.whl',
        url: 'https://i.example/f/a-1-py3-none-any.whl',
        digest: `sha256:${HEX}`,
        size: 5,
        uploaded: 1794778244,
        yanked: true,
        requiresPython: '>=3.9',
        hasMetadata: false,
      },
    ]);
  });

  it('leaves out entries that are malformed or dangerous', () => {
    const files = [
      null,
      5,
      { filename: '../x', url: 'x' },
      { filename: 'a.whl', url: 'javascript:alert(1)' },
      { url: 'x' },
    ];
    expect(parseSimpleJson(JSON.stringify({ files }), BASE)).toEqual([]);
  });

  it('takes a size for unknown that is none', () => {
    const files = [{ filename: 'a.whl', url: 'a.whl', size: -1, yanked: false }];
    expect(parseSimpleJson(JSON.stringify({ files }), BASE)?.[0]).toMatchObject({ size: undefined, yanked: false });
  });

  it('gives nothing for a page that is no such JSON', () => {
    expect(parseSimpleJson('<html>', BASE)).toBeUndefined();
    expect(parseSimpleJson('[]', BASE)).toBeUndefined();
  });

  it('never throws on any JSON', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(parseSimpleJson(`{"files":[${text}]}`, BASE)).toBeDefined();
      }),
    );
  });
});

describe('parseSimpleHtml()', () => {
  it('reads links, escapes, attributes and digests', () => {
    const html = `<!DOCTYPE html><a class=x href='../../f/a-1%2Bl-py3-none-any.whl#sha256=${HEX}' data-requires-python="&gt;=3.9" data-yanked data-upload-time="2026-11-15T21:30:44.9Z">a</a>`;
    expect(parseSimpleHtml(html, BASE)).toEqual([
      {
        file: 'a-1+l-py3-none-any.whl',
        url: 'https://i.example/f/a-1%2Bl-py3-none-any.whl',
        digest: `sha256:${HEX}`,
        size: undefined,
        uploaded: 1794778244,
        yanked: true,
        requiresPython: '>=3.9',
        hasMetadata: false,
      },
    ]);
  });

  it('honours a base element', () => {
    const [file] = parseSimpleHtml('<base href="https://o.example/d/"><a href="a.whl">a</a>', BASE);
    expect(file?.url).toBe('https://o.example/d/a.whl');
  });

  it('skips links that are no files', () => {
    expect(
      parseSimpleHtml('<a href="/">x</a><a>y</a><a href="mailto:x@y">z</a><a href="a%ZZ.whl">w</a>', BASE),
    ).toEqual([]);
  });

  it('never throws, whatever it is given', () => {
    const soup = fc.array(
      fc.constantFrom('<a ', 'href=', '"', "'", '>', '#sha256=', '&#x110000;', '%', 'x.whl', '<base '),
    );
    fc.assert(
      fc.property(soup, (parts) => {
        expect(parseSimpleHtml(parts.join(''), BASE).length).toBeLessThanOrEqual(parts.length);
      }),
    );
  });
});
