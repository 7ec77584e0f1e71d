import { execFileSync } from 'node:child_process';
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { compareDebVersions } from '../../src/assemble/deb-control.ts';
import { comparePackages, comparePythonVersions, type ComparedPackage } from '../../src/assemble/package-difference.ts';

const REAL = [
  '1.0',
  '1.0-0',
  '1.0-1',
  '1.0-1+b1',
  '1.0-1~bpo12+1',
  '1.0~rc1-1',
  '1.0~~',
  '1.0~',
  '1:0.9',
  '0:1.0',
  '2.41-12+deb13u4',
  '20250419+deb13u1',
  '14.2.0-19',
  '1.3.dfsg+really1.3.1-1+deb13u1',
  '8.2.0+0.really.8.1.8-1',
  '0.0',
  '0',
  '00',
  '1.00',
  '1.a',
  '1.+',
  '1a',
  '1a~',
  '1.10',
  '1.9',
  '10:1',
  '9:1',
  '1.0-1.1',
  '1.0-1a',
  '1.0+z',
  '1.0.',
];

/** What dpkg says of pairs, all in one call of a shell. */
function dpkgOrders(pairs: readonly (readonly [string, string])[]): readonly number[] {
  const script =
    'while read -r a b; do if dpkg --compare-versions "$a" lt "$b"; then echo -1; elif dpkg --compare-versions "$a" gt "$b"; then echo 1; else echo 0; fi; done';
  const input = pairs.map(([a, b]) => `${a} ${b}\n`).join('');
  const output = execFileSync('bash', ['-c', script], { input, encoding: 'utf8', stdio: ['pipe', 'pipe', 'ignore'] });
  return output.trim().split('\n').map(Number);
}

it('compareDebVersions() orders as dpkg does', () => {
  const real = REAL.flatMap((a, index) => REAL.slice(index).map((b): [string, string] => [a, b]));
  const text = fc.stringMatching(/^(?:[0-2]:)?[0-2][0-2a.+~]{0,5}(?:-[0-1a.+~]{1,3})?$/);
  const random = fc.sample(fc.tuple(text, text), { numRuns: 200, seed: 7 });
  const pairs = [...real, ...random];
  expect(pairs.map(([a, b]) => [a, b, Math.sign(compareDebVersions(a, b))])).toEqual(
    dpkgOrders(pairs).map((order, index) => [pairs[index]?.[0], pairs[index]?.[1], order]),
  );
});

it('comparePythonVersions() orders as PEP 440 does', () => {
  const ordered = [
    'nonsense',
    '1.0.dev1',
    '1.0a1.dev2',
    '1.0a1',
    '1.0b2',
    '1.0rc1',
    '1.0',
    '1.0+local.2',
    '1.0.post1',
    '1.1',
    '1.10',
    '1!0.1',
  ];
  for (const [index, a] of ordered.entries()) {
    for (const [place, b] of ordered.entries()) {
      expect([a, b, Math.sign(comparePythonVersions(a, b))]).toEqual([a, b, Math.sign(index - place)]);
    }
  }
  expect(comparePythonVersions('1.0', '1.0.0')).toBe(0);
});

function deb(name: string, version: string, digest?: string): ComparedPackage {
  return { kind: 'deb', name, version, digest };
}

function wheel(name: string, version: string): ComparedPackage {
  return { kind: 'wheel', name, version, digest: undefined };
}

it('comparePackages() tells up from down, and another artifact from the same', () => {
  const before = [
    deb('a', '1.0~rc1', '1'),
    deb('b', '2', '1'),
    deb('c', '1', '1'),
    deb('d', '1', '1'),
    wheel('e', '1.10'),
    deb('g', '1'),
  ];
  const after = [
    deb('a', '1.0', '2'),
    deb('b', '2', '2'),
    deb('d', '1', '1'),
    wheel('e', '1.9'),
    deb('f', '3'),
    deb('g', '1', '5'),
  ];
  expect(comparePackages(before, after).map(({ name, change }) => `${name} ${change}`)).toEqual([
    'a upgraded',
    'b changed',
    'c removed',
    'e downgraded',
    'f added',
  ]);
});
