import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { byteOrder, inByteOrder } from '../../src/base/byte-order.ts';

describe('byteOrder()', () => {
  it('puts a character outside the basic plane after U+FF5E, unlike UTF-16 order', () => {
    expect(['\u{1F600}', '\uFF5E', 'z'].toSorted(byteOrder)).toEqual(['z', '\uFF5E', '\u{1F600}']);
  });

  it('orders as the UTF-8 bytes do', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (a, b) => {
        expect(Math.sign(byteOrder(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)));
      }),
    );
  });
});

describe('inByteOrder()', () => {
  it('sorts by bytes, and gives back what is in order already', () => {
    expect(inByteOrder(['b', '\u{1F600}', '\u{FF5E}', 'a'])).toEqual(['a', 'b', '\u{FF5E}', '\u{1F600}']);
    const ordered = ['a', 'a', 'b'];
    expect(inByteOrder(ordered)).toBe(ordered);
    expect(inByteOrder([])).toEqual([]);
  });
});
