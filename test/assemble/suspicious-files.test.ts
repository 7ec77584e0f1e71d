import { describe, expect, it } from 'vitest';
import type { AssemblePart } from '../../src/assemble/assemble-tree.ts';
import { suspiciousFiles } from '../../src/assemble/suspicious-files.ts';
import type { ElfFacts } from '../../src/assemble/tree.ts';
import { elfFacts, treeOf } from './elf-trees.ts';

const SITE = 'usr/local/lib/python3.13/site-packages';
const INTERPRETER = {
  version: '3.13.5',
  path: '/usr/local/bin/python3.13',
  glibc: '2.41',
  sitePath: `/${SITE}`,
  prefix: '/usr/local',
};

function suspicions(
  files: Readonly<Record<string, ElfFacts | string>>,
  parts: readonly AssemblePart[] = [],
): readonly string[] {
  return suspiciousFiles({ ...treeOf(files), parts, interpreter: INTERPRETER });
}

/** A wheel that brings one file. */
function wheelWith(path: string): AssemblePart {
  const { tree } = treeOf({ [path]: 'x' });
  const artifact = {
    kind: 'wheel',
    name: 'toy',
    version: '1.0',
    file: 'toy-1.0-py3-none-any.whl',
    size: 1,
    digest: `sha256:${'0'.repeat(64)}`,
    uploaded: undefined,
  } as const;
  const unpacked = { entries: [...tree.values()].filter(({ kind }) => kind === 'file'), scripts: [], metadata: '' };
  return { artifact, unpacked, bytecode: undefined };
}

describe('suspiciousFiles()', () => {
  it('finds nothing in what is usual', () => {
    const files = {
      [`${SITE}/numpy/core.so`]: elfFacts({ runpath: ['$ORIGIN/../numpy.libs', '/usr/lib/x', '${ORIGIN}'] }),
      [`${SITE}/zope.pth`]: '/opt/more\n# import this\nimportant\n',
      [`${SITE}/json.py`]: 'x',
      'etc/ld.so.preload': '',
      'usr/lib/python3/sitecustomize.py': 'x',
    };
    expect(suspicions(files, [wheelWith(`${SITE}/json.py`)])).toEqual([]);
  });

  it('names libraries that every program loads', () => {
    expect(suspicions({ 'etc/ld.so.preload': '/evil.so\n' })).toEqual([
      'test: `/etc/ld.so.preload` loads libraries into every program',
    ]);
    expect(suspicions({ 'etc/ld.so.preload': '-> /tmp/x' })).toHaveLength(1);
  });

  it('names what runs when Python starts', () => {
    const files = {
      [`${SITE}/a.pth`]: '/opt\nimport os; os.system("x")\n',
      [`${SITE}/b.pth`]: '-> /tmp/b.pth',
      [`${SITE}/c.pth`]: '# big\n'.repeat(20_000),
      [`${SITE}/sitecustomize.py`]: '',
      [`${SITE}/usercustomize.cpython-313-x86_64-linux-gnu.so`]: elfFacts(),
      [`${SITE}/deeper/a.pth`]: 'import os\n',
    };
    expect(suspicions(files)).toEqual(
      ['a.pth', 'b.pth', 'c.pth', 'sitecustomize.py', 'usercustomize.cpython-313-x86_64-linux-gnu.so'].map(
        (name) => `test: \`/${SITE}/${name}\` runs code whenever Python starts`,
      ),
    );
  });

  it('names a wheel that writes into the standard library', () => {
    const stdlib = wheelWith('usr/local/lib/python3.13/json_fast.py');
    expect(suspicions({}, [stdlib])).toEqual([
      'toy 1.0: `/usr/local/lib/python3.13/json_fast.py` lies in the standard library of Python',
    ]);
  });

  it('names libraries that look where programs can write, once for each package', () => {
    const files = {
      'usr/lib/a.so': elfFacts({ rpath: ['/usr/lib', '/tmp/build'] }),
      'usr/lib/b.so': elfFacts({ runpath: ['lib'] }),
      'usr/lib/c.so': elfFacts({ runpath: [''] }),
      'usr/lib/d.so': elfFacts({ runpath: ['/tmpfiles'] }),
    };
    expect(suspicions(files)).toEqual([
      'test: 3 libraries look for others in `/tmp/build`, which a program can write to',
    ]);
    expect(suspicions({ 'usr/lib/b.so': elfFacts({ runpath: ['lib'] }) })).toEqual([
      'test: a library looks for others in `lib`, which a program can write to',
    ]);
  });
});
