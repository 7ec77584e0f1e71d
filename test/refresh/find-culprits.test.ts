import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findCulprits } from '../../src/refresh/find-culprits.ts';

/** `harm`: sets of packages that do harm when all of a set are updated. */
async function search(names: readonly string[], harm: readonly (readonly string[])[], options = {}) {
  const asked: string[] = [];
  const culprits = await findCulprits({
    names,
    suspects: [],
    mostTrials: 1000,
    isHarmful: async (some) => {
      asked.push(some.join(' '));
      return harm.some((set) => set.every((name) => some.includes(name)));
    },
    ...options,
  });
  return { culprits: culprits.map((set) => set.toSorted().join('+')).toSorted(), asked };
}

const NAMES = 'abcdefgh'.split('');

describe('findCulprits()', () => {
  it('finds one, several, and those that do it only together', async () => {
    expect((await search(NAMES, [['f']])).culprits).toEqual(['f']);
    expect((await search(NAMES, [['b'], ['g']])).culprits).toEqual(['b', 'g']);
    expect((await search(NAMES, [['a', 'h']])).culprits).toEqual(['a+h']);
    expect((await search(NAMES, [['a', 'e', 'h'], ['c']])).culprits).toEqual(['a+e+h', 'c']);
    expect((await search(['a'], [['a']])).culprits).toEqual(['a']);
    expect((await search(['a', 'b'], [['a', 'b']])).culprits).toEqual(['a+b']);
  });

  it('needs few trials for one of many, and fewer where the suspect is right', async () => {
    const names = Array.from({ length: 64 }, (_, index) => `p${index}`);
    expect((await search(names, [['p41']])).asked.length).toBeLessThanOrEqual(14);
    expect((await search(names, [['p41']], { suspects: ['p41'] })).asked).toEqual([
      'p41',
      names.filter((name) => name !== 'p41').join(' '),
    ]);
    expect((await search(names, [['p41']], { suspects: ['p7'] })).culprits).toEqual(['p41']);
    expect((await search(['a'], [['a']], { suspects: ['a'] })).asked).toEqual([]);
  });

  it('gives what it has found when the trials are used up', async () => {
    const { culprits, asked } = await search(NAMES, [['h']], { mostTrials: 2 });
    expect(asked).toHaveLength(2);
    expect(culprits).toEqual(['e+f+g+h']);
  });

  it('gives sets that do harm and of which nothing can be left out', async () => {
    const subset = fc.uniqueArray(fc.constantFrom(...NAMES), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(fc.array(subset, { minLength: 1, maxLength: 3 }), async (harm) => {
        const isHarmful = (some: readonly string[]): boolean =>
          harm.some((set) => set.every((one) => some.includes(one)));
        const { culprits } = await search(NAMES, harm);
        expect(culprits.length).toBeGreaterThan(0);
        for (const set of culprits.map((text) => text.split('+'))) {
          expect(isHarmful(set)).toBe(true);
          for (const name of set) expect(isHarmful(set.filter((one) => one !== name))).toBe(false);
        }
        const left = NAMES.filter((name) => !culprits.some((text) => text.split('+').includes(name)));
        expect(isHarmful(left)).toBe(false);
      }),
    );
  });
});
