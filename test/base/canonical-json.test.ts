import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson, readableJson } from '../../src/base/canonical-json.ts';

describe('canonicalJson()', () => {
  it('sorts keys, leaves out what is undefined, and writes no space', () => {
    expect(canonicalJson({ b: [1, { d: null, c: 'é' }], a: undefined, A: true })).toBe(
      '{"A":true,"b":[1,{"c":"é","d":null}]}',
    );
  });

  it('does not depend on the order in which members were set', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.integer()), (members) => {
        const reversed = Object.fromEntries(Object.entries(members).toReversed());
        expect(canonicalJson(reversed)).toBe(canonicalJson(members));
      }),
    );
  });

  it('refuses a number that JSON cannot hold', () => {
    expect(() => canonicalJson(Number.NaN)).toThrow('NaN');
  });
});

describe('readableJson()', () => {
  it('gives an element of a list one line', () => {
    expect(readableJson({ list: [{ b: 1, a: 2 }, 'x'], empty: [], one: { two: { three: 3 } } }, 2)).toBe(
      '{\n  "empty": [],\n  "list": [\n    { "a": 2, "b": 1 },\n    "x"\n  ],\n  "one": {\n    "two": { "three": 3 }\n  }\n}\n',
    );
  });

  it('means the same as the canonical text', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.nat(5), (value, depth) => {
        const plain = JSON.parse(JSON.stringify(value));
        expect(JSON.parse(readableJson(plain, depth))).toEqual(plain);
        expect(JSON.parse(canonicalJson(plain))).toEqual(plain);
      }),
    );
  });
});
