import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Entry } from '../../src/assemble/tree.ts';
import { digestOf } from '../../src/base/digest.ts';
import { decodeEntries, encodeEntries } from '../../src/store/entry-rows.ts';

const metadata = {
  path: fc.string(),
  mode: fc.integer({ min: 0, max: 0o1777 }),
  uid: fc.nat(),
  gid: fc.nat(),
  mtime: fc.maxSafeNat(),
  origin: fc.string(),
};
const names = fc.array(fc.string());
const elf = fc.record(
  {
    machine: fc.nat(65535),
    bits: fc.constantFrom(32 as const, 64 as const),
    interpreter: fc.string(),
    soname: fc.string(),
    needed: names,
    rpath: names,
    runpath: names,
    versionsNeeded: fc.dictionary(fc.string(), names, { noNullPrototype: true }),
    versionsDefined: names,
    noDefaultLibraries: fc.boolean(),
    dynamic: fc.boolean(),
  },
  {
    requiredKeys: [
      'machine',
      'bits',
      'needed',
      'rpath',
      'runpath',
      'versionsNeeded',
      'versionsDefined',
      'noDefaultLibraries',
      'dynamic',
    ],
    noNullPrototype: true,
  },
);
const entry: fc.Arbitrary<Entry> = fc.oneof(
  fc.record(
    {
      kind: fc.constant('file' as const),
      ...metadata,
      size: fc.maxSafeNat(),
      digest: fc.string().map((text) => digestOf(text)),
      elf,
    },
    {
      requiredKeys: ['kind', 'path', 'mode', 'uid', 'gid', 'mtime', 'origin', 'size', 'digest'],
      noNullPrototype: true,
    },
  ),
  fc.record({ kind: fc.constant('directory' as const), ...metadata }, { noNullPrototype: true }),
  fc.record({ kind: fc.constant('symlink' as const), ...metadata, target: fc.string() }, { noNullPrototype: true }),
  fc.record({ kind: fc.constant('hardlink' as const), ...metadata, target: fc.string() }, { noNullPrototype: true }),
);

describe('decodeEntries()', () => {
  it('gives back what encodeEntries() was given', () => {
    fc.assert(
      fc.property(fc.array(entry), (entries) => {
        const text = JSON.stringify(encodeEntries(entries));
        expect(decodeEntries(JSON.parse(text))).toEqual(entries);
      }),
    );
  });

  it('throws on any other JSON, and never anything but an Error', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(() => decodeEntries(value)).toThrow(Error);
        expect(() => decodeEntries({ origins: ['x'], rows: [value] })).toThrow(Error);
      }),
    );
  });
});
