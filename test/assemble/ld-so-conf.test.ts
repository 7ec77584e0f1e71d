import { describe, expect, it } from 'vitest';
import { configuredLibraryFolders } from '../../src/assemble/ld-so-conf.ts';
import { treeOf } from './elf-trees.ts';

function folders(files: Readonly<Record<string, string>>): readonly string[] {
  const { tree, contents } = treeOf(files);
  return configuredLibraryFolders(tree, contents);
}

describe('configuredLibraryFolders()', () => {
  it.each([
    ['*.conf', ['a.conf', 'b.conf']],
    ['?.conf', ['a.conf', 'b.conf']],
    ['a*', ['a.conf', 'a.txt']],
    ['*', ['a.conf', 'a.txt', 'b.conf']],
    ['.*', ['.hidden.conf']],
    ['a.conf b.*', ['a.conf', 'b.conf']],
    ['*a*n*', ['a.conf']],
    ['none', []],
  ])('includes the files that %s matches', (pattern, names) => {
    const included = ['a.conf', 'b.conf', 'a.txt', '.hidden.conf'].map((name) => [`etc/d/${name}`, `/${name}\n`]);
    const files = {
      'etc/ld.so.conf': `include d/${pattern.replace(' ', ' /etc/d/')}\n`,
      ...Object.fromEntries(included),
    };
    expect(folders(files)).toEqual(names.map((name) => `/${name}`));
  });

  it('is quick about a pattern of many stars', () => {
    const name = 'a'.repeat(250);
    expect(folders({ 'etc/ld.so.conf': `include ${'*a'.repeat(100)}b\n`, [`etc/${name}`]: '/x\n' })).toEqual([]);
  });

  it('follows links to files, and reads none twice', () => {
    const files = { 'etc/ld.so.conf': '-> /opt/conf', 'opt/conf': '/a\ninclude /etc/ld.so.conf /opt/conf\n/b\n' };
    expect(folders(files)).toEqual(['/a', '/b']);
  });

  it('takes a file of more than 64 KiB for an empty one', () => {
    expect(folders({ 'etc/ld.so.conf': `/a\n${'#'.repeat(70_000)}` })).toEqual([]);
  });
});
