import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { tagRanks } from '../../src/resolve/python-tags.ts';
import { bestWheel, parseWheelName } from '../../src/resolve/wheel-name.ts';

describe('parseWheelName()', () => {
  it('expands the dotted tags', () => {
    expect(parseWheelName('Foo_Bar-1.0+x-2b-py2.py3-none-any.whl')).toEqual({
      name: 'foo-bar',
      version: '1.0+x',
      build: [2, 'b'],
      tags: ['py2-none-any', 'py3-none-any'],
    });
  });

  it.each(['a-1.tar.gz', 'a-1-py3-none.whl', '../a-1-py3-none-any.whl', `a-1-${'p.'.repeat(2000)}p-none-any.whl`])(
    'refuses `%s`',
    (file) => {
      expect(parseWheelName(file)).toBeUndefined();
    },
  );

  it('never throws or hangs, whatever it is given', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(parseWheelName(`${text}.whl`)?.tags).not.toEqual([]);
      }),
    );
  });
});

describe('bestWheel()', () => {
  const ranks = tagRanks(['cp313-cp313-l', 'cp313-abi3-l', 'py3-none-any']);

  it('takes the best tag, in whatever order they are listed', () => {
    const files = ['a-1-py3-none-any.whl', 'a-1-cp313-abi3-l.whl', 'a-1-cp313-cp313-l.whl', 'a-1-cp312-cp312-l.whl'];
    fc.assert(
      fc.property(fc.shuffledSubarray(files, { minLength: 4 }), (shuffled) => {
        expect(bestWheel(shuffled, ranks)).toBe('a-1-cp313-cp313-l.whl');
      }),
    );
  });

  it('takes the highest build of one tag', () => {
    expect(
      bestWheel(
        ['a-1-2', 'a-1-10', 'a-1', 'a-1-9'].map((name) => `${name}-py3-none-any.whl`),
        ranks,
      ),
    ).toBe('a-1-10-py3-none-any.whl');
    expect(
      bestWheel(
        ['a-1-1', 'a-1-2'].map((name) => `${name}-py3-none-any.whl`),
        ranks,
      ),
    ).toBe('a-1-2-py3-none-any.whl');
  });

  it('takes none that does not fit', () => {
    expect(bestWheel(['a-1-cp312-cp312-l.whl', 'a-1.zip'], ranks)).toBeUndefined();
  });
});
