import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lookupIn } from '../../src/assemble/tree-lookup.ts';
import { treeOf } from './elf-trees.ts';

describe('lookupIn()', () => {
  const { tree } = treeOf({
    'usr/lib/x/file': 'text',
    'usr/lib/up': '-> ../lib/x/file',
    lib: '-> usr/lib',
    out: '-> ../../../usr/lib/x/file',
    absolute: '-> /lib/x',
    loop: '-> loop/loop',
    one: '-> two',
    two: '-> one',
  });
  const lookup = lookupIn(tree);

  it.each([
    ['usr/lib/x/file'],
    ['/usr/lib/x/file'],
    ['lib/x/file'],
    ['lib/up'],
    ['out'],
    ['absolute/file'],
    ['lib/../lib/x/./file'],
    ['//lib//x//file'],
    ['/../../lib/x/file'],
  ])('finds the file at %s', (path) => {
    expect(lookup.find(path)?.path).toBe('usr/lib/x/file');
  });

  it.each([['loop'], ['one'], ['none'], ['lib/x/file/more'], ['lib/x/file/..'], ['none/../lib/x/file']])(
    'finds nothing at %s',
    (path) => {
      expect(lookup.find(path)).toBeUndefined();
    },
  );

  it('gives up after 40 links, as the kernel does', () => {
    const links = Array.from({ length: 41 }, (_, index) => [`link${index + 1}`, `-> link${index}`]);
    const chain = lookupIn(treeOf({ link0: 'text', ...Object.fromEntries(links) }).tree);
    expect(chain.find('link40')?.path).toBe('link0');
    expect(chain.find('link41')).toBeUndefined();
  });

  it('tells folders, the root too, from files', () => {
    expect(lookup.find('lib/x')).toEqual({ path: 'usr/lib/x', file: undefined });
    expect(lookup.find('/')).toEqual({ path: '', file: undefined });
    expect(lookup.names('/lib')).toEqual(['x', 'up']);
    expect(lookup.names('lib/x/file')).toEqual([]);
  });

  it('follows a hard link to its file', () => {
    const entry = tree.get('usr/lib/x/file');
    const link = {
      kind: 'hardlink',
      path: 'again',
      target: 'usr/lib/x/file',
      mode: 0,
      uid: 0,
      gid: 0,
      mtime: 0,
      origin: '',
    } as const;
    expect(lookupIn(new Map([...tree, ['again', link]])).find('again')?.file).toBe(entry);
  });

  it('ends for all links, and never answers with a link', () => {
    const name = fc.constantFrom('a', 'b', 'c', '..', '.');
    const target = fc.array(name, { minLength: 1, maxLength: 4 }).map((names) => `-> ${names.join('/')}`);
    fc.assert(
      fc.property(fc.record({ a: target, b: target, 'c/a': target, 'c/b': target }), target, (links, path) => {
        const some = treeOf(links).tree;
        const found = lookupIn(some).find(path.slice(3));
        expect(found === undefined || found.path === '' || some.get(found.path)?.kind === 'directory').toBe(true);
      }),
    );
  });
});
