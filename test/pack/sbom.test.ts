import { expect, it } from 'vitest';
import { digestOf } from '../../src/base/digest.ts';
import { formatSbom, type SbomSubject } from '../../src/pack/sbom.ts';

const SUBJECT: SbomSubject = {
  name: 'python',
  key: digestOf('key'),
  epoch: 1_700_000_000,
  artifacts: [
    {
      kind: 'deb',
      name: 'libstdc++6',
      version: '1:14.2.0-19+b1~x',
      architecture: 'amd64',
      suite: 'trixie',
      path: 'pool/x.deb',
      size: 1,
      digest: digestOf('a'),
      depends: [],
    },
    {
      kind: 'wheel',
      name: 'numpy',
      version: '2.3.1',
      file: 'n.whl',
      size: 2,
      digest: digestOf('b'),
      uploaded: undefined,
    },
  ],
};

it('formatSbom() names every artifact by its package URL and its hash', () => {
  const bill = JSON.parse(formatSbom(SUBJECT));
  expect(bill.components.map((component: { purl: string }) => component.purl)).toEqual([
    'pkg:deb/debian/libstdc%2B%2B6@1:14.2.0-19%2Bb1~x?arch=amd64&distro=trixie',
    'pkg:pypi/numpy@2.3.1',
  ]);
  expect(bill.components[1].hashes).toEqual([{ alg: 'SHA-256', content: digestOf('b').slice(7) }]);
  expect(bill.metadata.timestamp).toBe('2023-11-14T22:13:20.000Z');
});

function serial(key: string): string {
  return JSON.parse(formatSbom({ ...SUBJECT, key: digestOf(key) })).serialNumber;
}

it('formatSbom() gives the same serial number for the same key only', () => {
  expect(serial('key')).toBe(serial('key'));
  expect(serial('key')).not.toBe(serial('other'));
  expect(serial('key')).toMatch(/^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});
