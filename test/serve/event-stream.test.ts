import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { eventText, OutputPieces } from '../../src/serve/event-stream.ts';

/** All pieces of bytes that come in chunks of one size. */
function piecesOf(bytes: Buffer, size: number): ReturnType<OutputPieces['next']>[] {
  const pieces = new OutputPieces();
  const found: ReturnType<OutputPieces['next']>[] = [];
  for (let at = 0; at < bytes.length; at += size) found.push(pieces.next(bytes.subarray(at, at + size)));
  found.push(pieces.last());
  return found.filter((piece) => piece !== undefined);
}

function joined(pieces: readonly ReturnType<OutputPieces['next']>[]): Buffer {
  return Buffer.concat(
    pieces.map((piece) => {
      if (piece === undefined) return Buffer.alloc(0);
      return 'text' in piece ? Buffer.from(piece.text) : Buffer.from(piece.base64, 'base64');
    }),
  );
}

describe('OutputPieces', () => {
  it('tells text as text, however it comes', () => {
    const property = fc.property(fc.string({ unit: 'binary' }), fc.integer({ min: 1, max: 5 }), (text, size) => {
      const pieces = piecesOf(Buffer.from(text), size);
      expect(pieces.map((piece) => (piece !== undefined && 'text' in piece ? piece.text : '?')).join('')).toBe(text);
    });
    fc.assert(property);
  });

  it('loses no byte', () => {
    const property = fc.property(fc.uint8Array(), fc.integer({ min: 1, max: 5 }), (bytes, size) => {
      expect(joined(piecesOf(Buffer.from(bytes), size))).toEqual(Buffer.from(bytes));
    });
    fc.assert(property);
  });
});

describe('eventText()', () => {
  it('has one line of data, whatever is in it', () => {
    expect(eventText('stdout', { text: 'a\nb\r\n\nevent: report' })).toBe(
      'event: stdout\ndata: {"text":"a\\nb\\r\\n\\nevent: report"}\n\n',
    );
  });
});
