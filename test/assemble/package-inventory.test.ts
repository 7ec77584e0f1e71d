import { expect, it } from 'vitest';
import { readInventory } from '../../src/assemble/package-inventory.ts';
import { directory, file, filledTree, symlink } from '../pack/trees.ts';

const SITE = 'usr/local/lib/python3.13/site-packages';

it('readInventory() reads what dpkg and pip say of an image that others have made', () => {
  const status =
    'Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2.41-12\n\nPackage: gone\nStatus: deinstall ok config-files\nVersion: 1\n';
  const { tree, contents } = filledTree([
    file('etc/motd', 'x'),
    symlink('lib', 'usr/lib'),
    directory('usr/lib'),
    file('usr/lib/libc.so.6', 'elf'),
    file(
      `${SITE}/Foo_Bar-1.0.dist-info/METADATA`,
      'Metadata-Version: 2.1\nName: Foo.Bar\nVersion: 1.0\n\nName: not this\n',
    ),
    file(`${SITE}/Foo_Bar-1.0.dist-info/RECORD`, 'foo/__init__.py,,\n../../../bin/foo,,\n'),
    file(`${SITE}/foo/__init__.py`, ''),
    file(`${SITE}/foo/__pycache__/__init__.cpython-313.pyc`, 'p'),
    file('usr/local/bin/foo', '#!'),
    file('var/lib/dpkg/info/libc6:amd64.list', '/.\n/lib\n/lib/libc.so.6\n'),
    file('var/lib/dpkg/status', status),
  ]);
  const { packages, ownerOf } = readInventory(tree, contents);
  expect(packages.map(({ kind, name, version }) => [kind, name, version])).toEqual([
    ['deb', 'libc6', '2.41-12'],
    ['wheel', 'foo-bar', '1.0'],
  ]);
  const owners = [...tree.values()].flatMap((entry) =>
    ownerOf(entry) === undefined ? [] : [[entry.path, ownerOf(entry)]],
  );
  expect(owners).toEqual([
    ['usr/lib', 'libc6'],
    ['usr/lib/libc.so.6', 'libc6'],
    [`${SITE}/Foo_Bar-1.0.dist-info/RECORD`, 'foo-bar'],
    [`${SITE}/foo/__init__.py`, 'foo-bar'],
    [`${SITE}/foo/__pycache__/__init__.cpython-313.pyc`, 'foo-bar'],
    ['usr/local/bin/foo', 'foo-bar'],
  ]);
});

it('readInventory() survives a RECORD that is none', () => {
  const { tree, contents } = filledTree([
    file(`${SITE}/a-1.dist-info/METADATA`, 'Name: a\nVersion: 1\n'),
    file(`${SITE}/a-1.dist-info/RECORD`, 'one,two\n"broken'),
  ]);
  expect(readInventory(tree, contents).packages).toHaveLength(1);
});
