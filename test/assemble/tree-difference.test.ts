import { expect, it } from 'vitest';
import { compareTrees } from '../../src/assemble/tree-difference.ts';
import { firstDifferences } from '../../src/store/first-difference.ts';
import { digestOf } from '../../src/base/digest.ts';
import { directory, file, filledTree, hardLink, symlink } from '../pack/trees.ts';

it('compareTrees() says which fields of an entry differ', () => {
  const before = filledTree([
    file('a', '1'),
    file('b', 'x', { mode: 0o755, uid: 1 }),
    symlink('c', 'a'),
    file('d', '1'),
    directory('e'),
    file('g', 'same'),
    hardLink('h', 'g'),
  ]);
  const after = filledTree([
    file('a', '22'),
    file('b', 'x', { mode: 0o644, mtime: 5 }),
    symlink('c', 'b'),
    symlink('d', 'a'),
    directory('e'),
    file('f', ''),
    file('g', 'same'),
    file('h', 'same'),
  ]);
  const told = compareTrees(before.tree, after.tree).map((one) => {
    return one.change === 'changed'
      ? [one.path].concat(one.fields.map(({ field, before: a, after: b }) => `${field} ${a} ${b}`))
      : [one.path, one.change];
  });
  expect(told).toEqual([
    ['a', `content ${digestOf('1')} ${digestOf('22')}`, 'size 1 2'],
    ['b', 'mode 0755 0644', 'uid 1 0', 'mtime 1700000000 5'],
    ['c', 'target a b'],
    [
      'd',
      'kind file symlink',
      `content ${digestOf('1')} undefined`,
      'size 1 undefined',
      'target undefined a',
      'mode 0644 undefined',
    ],
    ['f', 'added'],
    ['h', 'kind hardlink file', 'target g undefined'],
  ]);
  expect(compareTrees(after.tree, before.tree).find(({ path }) => path === 'f')).toMatchObject({ change: 'removed' });
  expect(compareTrees(before.tree, before.tree)).toEqual([]);
});

it('firstDifferences() names the byte, whatever the chunks', () => {
  const long = 'x'.repeat(100);
  const before = filledTree(
    [file('a', `${long}b`), file('b', long), file('c', '1', { mode: 0o600 }), file('d', '')],
    7,
  );
  const after = filledTree([file('a', `${long}c`), file('b', `${long}!`), file('c', '1'), symlink('e', 'a')], 13);
  expect(firstDifferences(before, after)).toEqual([
    { path: 'a', field: 'content', before: '62', after: '63', offset: 100 },
    { path: 'b', field: 'content', before: 'end', after: '21', offset: 100 },
    { path: 'c', field: 'mode', before: '0600', after: '0644', offset: undefined },
    { path: 'd', field: 'entry', before: 'file', after: 'nothing', offset: undefined },
    { path: 'e', field: 'entry', before: 'nothing', after: 'symlink', offset: undefined },
  ]);
});

it('firstDifferences() sees another order of the same entries', () => {
  const [one, other] = [filledTree([file('a', '1'), file('b', '2')]), filledTree([file('b', '2'), file('a', '1')])];
  expect(firstDifferences(one, other)).toEqual([
    { path: 'b', field: 'order', before: '/a', after: '/b', offset: undefined },
  ]);
  expect(firstDifferences(one, one)).toEqual([]);
});
