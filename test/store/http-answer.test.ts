import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readAnswer, validatorOf } from '../../src/store/http-answer.ts';

describe('readAnswer()', () => {
  it.each([
    [{ status: 200, headers: { 'content-length': '7' } }, 5, { kind: 'bytes', start: 0, length: 7 }],
    [{ status: 200, headers: {} }, 0, { kind: 'bytes', start: 0, length: undefined }],
    [{ status: 206, headers: { 'content-range': 'bytes 5-6/7' } }, 5, { kind: 'bytes', start: 5, length: 7 }],
    [{ status: 206, headers: { 'content-range': 'bytes 5-6/*' } }, 5, { kind: 'bytes', start: 5, length: undefined }],
    [{ status: 206, headers: { 'content-range': 'bytes 4-6/7' } }, 5, { kind: 'no-range' }],
    [{ status: 206, headers: {} }, 5, { kind: 'no-range' }],
    [{ status: 206, headers: {} }, 0, { kind: 'refused', detail: 'the server answered with an unwanted range' }],
    [{ status: 416, headers: {} }, 5, { kind: 'no-range' }],
    [{ status: 416, headers: {} }, 0, { kind: 'refused', detail: 'the server answered 416' }],
    [{ status: 302, headers: { location: '/x' } }, 0, { kind: 'redirect', location: '/x' }],
    [{ status: 302, headers: {} }, 0, { kind: 'refused', detail: 'the server answered 302' }],
    [{ status: 304, headers: {} }, 0, { kind: 'refused', detail: 'the server answered 304' }],
    [{ status: 410, headers: {} }, 0, { kind: 'gone', detail: 'the server answered 410' }],
    [{ status: 403, headers: {} }, 0, { kind: 'refused', detail: 'the server answered 403' }],
    [
      { status: 429, headers: { 'retry-after': '3' } },
      0,
      { kind: 'busy', detail: 'the server answered 429', retryAfterMs: 3000 },
    ],
    [
      { status: 503, headers: { 'retry-after': 'Fri, 31 Dec 1999 23:59:59 GMT' } },
      0,
      { kind: 'busy', detail: 'the server answered 503', retryAfterMs: undefined },
    ],
  ] as const)('reads %j asked from %i on', (head, offset, meaning) => {
    expect(readAnswer(head, offset)).toEqual(meaning);
  });

  it('has a meaning for every answer, and bytes only from where they were asked for or from 0 on', () => {
    const headers = fc.dictionary(
      fc.constantFrom('content-range', 'content-length', 'location', 'retry-after'),
      fc.string(),
    );
    fc.assert(
      fc.property(fc.integer({ min: 100, max: 999 }), headers, fc.nat(), (status, found, offset) => {
        const meaning = readAnswer({ status, headers: found }, offset);
        expect(meaning.kind === 'bytes' ? [0, offset] : [0]).toContain(meaning.kind === 'bytes' ? meaning.start : 0);
      }),
    );
  });
});

describe('validatorOf()', () => {
  it('takes a strong ETag, else the date', () => {
    const date = 'Fri, 31 Dec 1999 23:59:59 GMT';
    expect(validatorOf({ status: 200, headers: { etag: '"x"', 'last-modified': date } })).toBe('"x"');
    expect(validatorOf({ status: 200, headers: { etag: 'W/"x"', 'last-modified': date } })).toBe(date);
    expect(validatorOf({ status: 200, headers: { etag: 'W/"x"' } })).toBeUndefined();
  });
});
