import { describe, expect, it } from 'vitest';
import { hostDistributions, ownedPaths } from '../../src/assemble/host-distributions.ts';
import { toyHost } from './host-disks.ts';

const SITE = '/usr/lib/python3/dist-packages';

function owned(files: Readonly<Record<string, string>>, name: string): readonly string[] {
  using host = toyHost(Object.fromEntries(Object.entries(files).map(([path, text]) => [`${SITE}/${path}`, text])));
  const paths = new Set(Object.keys(files).map((path) => `${SITE}/${path}`));
  return hostDistributions(paths)
    .filter((distribution) => distribution.name === name)
    .flatMap((distribution) => ownedPaths(host.disk, distribution, paths))
    .map((path) => path.slice(SITE.length + 1));
}

describe('ownedPaths()', () => {
  it('goes by RECORD, with all of a shared folder left to the others', () => {
    const files = {
      'zope/interface/__init__.py': 'x',
      'zope/other/__init__.py': 'x',
      'zope.interface-5.0.dist-info/METADATA': 'x',
      'zope.interface-5.0.dist-info/RECORD': 'zope/interface/__init__.py,sha256=x,1\n../../../bin/tool,,\n',
    };
    expect(owned(files, 'zope-interface')).toEqual([
      'zope/interface/__init__.py',
      'zope.interface-5.0.dist-info/METADATA',
      'zope.interface-5.0.dist-info/RECORD',
    ]);
  });

  it('goes by the list of an egg-info, and by its modules where there is none, as Debian’s packages have it', () => {
    const egg = {
      'toy/a.py': 'x',
      'toy.egg-info/installed-files.txt': '../toy/a.py\nPKG-INFO\n',
      'toy.egg-info/PKG-INFO': 'x',
    };
    expect(owned(egg, 'toy')).toEqual(Object.keys(egg));
    const debian = {
      'PyYAML-6.0.egg-info/top_level.txt': '_yaml\nyaml\nsingle\n',
      'yaml/__init__.py': 'x',
      'yaml/loader.py': 'x',
      '_yaml/namespace.py': 'x',
      'single.py': 'x',
      'single.cpython-311-x86_64-linux-gnu.so': 'x',
      'single_other.py': 'x',
    };
    expect(owned(debian, 'pyyaml')).toEqual([
      'PyYAML-6.0.egg-info/top_level.txt',
      'yaml/__init__.py',
      'yaml/loader.py',
      'single.py',
      'single.cpython-311-x86_64-linux-gnu.so',
    ]);
    const file = { 'my_toy-1.0.egg-info': 'Name: my-toy\n', 'my_toy/__init__.py': 'x', 'other.py': 'x' };
    expect(owned(file, 'my-toy')).toEqual(['my_toy-1.0.egg-info', 'my_toy/__init__.py']);
  });

  it('owns nothing but its metadata with a RECORD that is none', () => {
    expect(owned({ 'toy/a.py': 'x', 'toy-1.dist-info/RECORD': '"' }, 'toy')).toEqual(['toy-1.dist-info/RECORD']);
  });
});
