import { describe, expect, it } from 'vitest';
import { needsIn } from '../../src/resolve/resolver-words.ts';

describe('needsIn()', () => {
  it.each([
    [
      'Because only numpy<=2.5.5 is available and you require numpy>=99, we can conclude that',
      [[undefined, 'numpy', '>=99']],
    ],
    [
      'Because a==1 depends on c<2 and b==1 depends on\n      c>=2,<3, we can conclude that a==1 and b==1 are incompatible.\n      And because you require a and b==1, we',
      [
        ['a==1', 'c', '<2'],
        ['b==1', 'c', '>=2,<3'],
        [undefined, 'a', ''],
        [undefined, 'b', '==1'],
      ],
    ],
    [
      'The conflict is caused by:\n    The user requested C==2\n    a.b 1.0 depends on c<2\n    The user requested (constraint) d<1\n',
      [
        ['a-b==1.0', 'c', '<2'],
        [undefined, 'c', '==2'],
        [undefined, 'd', '<1'],
      ],
    ],
    [
      'ERROR: Could not find a version that satisfies the requirement x>2 (from y) (from versions: none)\nERROR: No matching distribution found for x>2',
      [
        ['y', 'x', '>2'],
        [undefined, 'x', '>2'],
      ],
    ],
    ['', []],
  ])('%j', (output, needs) => {
    expect(needsIn(output).map(({ by, name, specifier }) => [by, name, specifier])).toEqual(needs);
  });
});
