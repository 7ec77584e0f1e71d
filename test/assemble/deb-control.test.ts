import { describe, expect, it } from 'vitest';
import { compareDebVersions, isMeant, parseControl, parseRelations } from '../../src/assemble/deb-control.ts';

describe('parseControl()', () => {
  it('reads fields by lower-case name, folded ones too, of the first paragraph', () => {
    const text = '\nPackage: a\nDescription: short\n long\n .\nPackage: evil\n\nVersion: 2\n';
    expect([...parseControl(text)]).toEqual([
      ['package', 'a'],
      ['description', 'short\nlong\n.'],
    ]);
  });
});

describe('parseRelations()', () => {
  it('reads names with and without a version', () => {
    expect(parseRelations('a, b:any (<< 1.0-2), !x, c (>= 1:2~rc1)')).toEqual([
      { name: 'a' },
      { name: 'b', operator: '<<', version: '1.0-2' },
      { name: 'c', operator: '>=', version: '1:2~rc1' },
    ]);
  });
});

describe('isMeant()', () => {
  it.each([
    ['<<', false],
    ['<=', true],
    ['=', true],
    ['>=', true],
    ['>>', false],
  ])('takes 1.0 for %s 1.0: %s', (operator, expected) => {
    expect(isMeant({ name: 'a', operator, version: '1.0' }, 'a', '1.0')).toBe(expected);
    expect(isMeant({ name: 'a', operator, version: '1.0' }, 'b', '1.0')).toBe(false);
  });
});

describe('compareDebVersions()', () => {
  /** Ascending. Checked against `dpkg --compare-versions` 1.21. */
  const ORDER = [
    '0~~',
    '0~',
    '0',
    '1.0~rc1-1',
    '1.0',
    '1.0-1',
    '1.0-1+b1',
    '1.0a-1',
    '1.0+a-1',
    '1.2',
    '1.10',
    '1:0.1',
  ];

  it.each(ORDER.slice(1).map((version, index) => [ORDER[index] ?? '', version]))('puts %s before %s', (a, b) => {
    expect(compareDebVersions(a, b)).toBeLessThan(0);
    expect(compareDebVersions(b, a)).toBeGreaterThan(0);
  });

  it('takes leading zeros and a missing epoch or revision for nothing', () => {
    expect(compareDebVersions('0:1.01', '1.1-0')).toBe(0);
  });
});
