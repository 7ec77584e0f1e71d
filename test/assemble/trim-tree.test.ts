import { describe, expect, it } from 'vitest';
import { trimTree } from '../../src/assemble/trim-tree.ts';
import { byteOrder } from '../../src/base/byte-order.ts';
import { parentOf } from '../../src/base/image-path.ts';
import { directory, file, filledTree, hardLink, symlink, type TreePart } from '../pack/trees.ts';

const SITE = 'usr/lib/python3/dist-packages';

function pathOf(part: TreePart): string {
  return 'kind' in part ? part.path : part[0].path;
}

/** What is left of the parts and their folders, and what went under which name. */
function trimmed(parts: readonly TreePart[], trim: readonly string[]) {
  const paths = new Set(parts.map(pathOf));
  const folders = new Set<string>();
  for (const path of paths) for (let up = parentOf(path); up !== ''; up = parentOf(up)) folders.add(up);
  const missing = [...folders].filter((path) => !paths.has(path)).map((path) => directory(path));
  const all = [...parts, ...missing].toSorted((a, b) => byteOrder(pathOf(a), pathOf(b)));
  const { tree, contents } = filledTree(all);
  const result = trimTree(tree, trim, contents);
  return { ...result, paths: [...result.tree.keys()], went: [...result.gone.keys()].toSorted(byteOrder) };
}

describe('trimTree()', () => {
  it('takes what a set means, keeps copyright files, and counts', () => {
    const { paths, trimmed: counts } = trimmed(
      [
        file('usr/share/doc/a/README', '12345'),
        file('usr/share/doc/a/copyright', 'c'),
        file('usr/share/doc/b/html/index.html', '123'),
        file('usr/share/man/man1/a.1.gz', '1234567'),
        file('usr/bin/a', 'x'),
      ],
      ['docs', 'man'],
    );
    const left = ['usr', 'usr/bin', 'usr/bin/a', 'usr/share', 'usr/share/doc'];
    expect(paths).toEqual([...left, 'usr/share/doc/a', 'usr/share/doc/a/copyright']);
    expect(counts).toEqual([
      { rule: 'docs', files: 2, bytes: 8 },
      { rule: 'man', files: 1, bytes: 7 },
    ]);
  });

  it('takes a folder with all that is in it, but for what comes after `!`', () => {
    const parts = [file('opt/a/b/c', '1'), file('opt/a/b/d', '2'), file('opt/a/e', '3'), file('opt/.a/b', '4')];
    expect(trimmed(parts, ['!/opt/a/b/d', '/opt/a']).paths).toEqual([
      'opt',
      'opt/.a',
      'opt/.a/b',
      'opt/a',
      'opt/a/b',
      'opt/a/b/d',
    ]);
    expect(trimmed(parts, ['/opt/*/b']).paths).toEqual(['opt', 'opt/a', 'opt/a/e']);
    expect(trimmed(parts, ['/**/b']).went).toEqual(['opt/.a', 'opt/.a/b', 'opt/a/b', 'opt/a/b/c', 'opt/a/b/d']);
    expect(trimmed(parts, ['/opt']).paths).toEqual([]);
  });

  it('names globs that meet nothing', () => {
    const parts = [file('a', '1'), file('b/c', '2')];
    expect(trimmed(parts, ['!/b/c', '!/x', '/a', '/b', '/y/*', 'man']).unused).toEqual(['!/x', '/y/*']);
    expect(trimmed(parts, ['/a']).unused).toEqual([]);
  });

  it('leaves alone what the recipe brings and what is made for every image', () => {
    const [ours, bytes] = file('etc/a', '1');
    const parts: TreePart[] = [[{ ...ours, origin: 'recipe.yaml' }, bytes], file('etc/b', '2')];
    expect(trimmed(parts, ['/etc']).paths).toEqual(['etc', 'etc/a']);
  });

  it('takes links that led to what is gone, links to those, and no others', () => {
    const parts = [
      file('usr/lib/x/data', '1'),
      symlink('usr/lib/y', 'x'),
      symlink('usr/lib/z', '/usr/lib/y/data'),
      symlink('usr/lib/dangling', 'nowhere'),
      file('usr/lib/kept', '2'),
      symlink('usr/lib/to-kept', 'kept'),
    ];
    const { went, trimmed: counts } = trimmed(parts, ['/usr/lib/x/data']);
    expect(went).toEqual(['usr/lib/x', 'usr/lib/x/data', 'usr/lib/y', 'usr/lib/z']);
    expect(counts).toEqual([{ rule: '/usr/lib/x/data', files: 3, bytes: 1 }]);
  });

  it('keeps files one whose first path is gone', () => {
    const parts = [file('a/1', 'same', { mode: 0o755 }), hardLink('b/2', 'a/1'), hardLink('c/3', 'a/1')];
    const { tree, trimmed: counts } = trimmed(parts, ['/a']);
    expect(tree.get('b/2')).toMatchObject({ kind: 'file', size: 4, mode: 0o755 });
    expect(tree.get('c/3')).toMatchObject({ kind: 'hardlink', target: 'b/2' });
    expect(counts).toEqual([{ rule: '/a', files: 1, bytes: 0 }]);
  });

  it('takes bytecode with its source, and leaves folders that were empty before', () => {
    const parts = [
      file(`${SITE}/p/a.py`, 'a'),
      file(`${SITE}/p/__pycache__/a.cpython-313.pyc`, 'A'),
      file(`${SITE}/p/b.py`, 'b'),
      file(`${SITE}/p/__pycache__/b.cpython-313.opt-1.pyc`, 'B'),
      file(`${SITE}/p/__pycache__/legacy.cpython-313.pyc`, 'C'),
      directory(`${SITE}/p/empty`),
    ];
    const { went } = trimmed(parts, [`/${SITE}/p/b.py`]);
    expect(went).toEqual([`${SITE}/p/__pycache__/b.cpython-313.opt-1.pyc`, `${SITE}/p/b.py`]);
    expect(trimmed(parts, ['bytecode']).went).toHaveLength(4);
  });
});

describe('trimTree() with `tests`', () => {
  const parts = [
    file(`${SITE}/p/__init__.py`, 'from .util import x\n'),
    file(`${SITE}/p/util.py`, 'def check():\n    from p.core.tests._natype import NA\n'),
    file(`${SITE}/p/core/__init__.py`, ''),
    file(`${SITE}/p/core/tests/__init__.py`, ''),
    file(`${SITE}/p/core/tests/__pycache__/_natype.cpython-313.pyc`, 'bytecode'),
    file(`${SITE}/p/core/tests/__pycache__/test_a.cpython-313.pyc`, 'bytecode'),
    file(`${SITE}/p/core/tests/_natype.py`, 'from .common import y\nfrom . import _ext\n'),
    file(`${SITE}/p/core/tests/common.py`, 'import os'),
    file(`${SITE}/p/core/tests/_ext.cpython-313-x86_64-linux-gnu.so`, 'elf'),
    file(`${SITE}/p/core/tests/data.csv`, '1,2'),
    file(`${SITE}/p/core/tests/test_a.py`, 'from . import test_b'),
    file(`${SITE}/p/core/tests/test_b.py`, ''),
    file(`${SITE}/p/testing/tests.py`, ''),
    file(`${SITE}/q/tests/test_q.py`, 'import p.core.tests.test_b'),
  ];

  it('keeps the modules that other code imports, with what they import in turn', () => {
    expect(trimmed(parts, ['tests']).went).toEqual([
      `${SITE}/p/core/tests/__pycache__/test_a.cpython-313.pyc`,
      `${SITE}/p/core/tests/data.csv`,
      `${SITE}/p/core/tests/test_a.py`,
      `${SITE}/p/core/tests/test_b.py`,
      `${SITE}/q`,
      `${SITE}/q/tests`,
      `${SITE}/q/tests/test_q.py`,
    ]);
  });

  it('keeps nothing for imports when a glob says so, and no bytecode when that is to go', () => {
    const { paths } = trimmed(parts, [`/${SITE}/p/core/tests`, 'bytecode', 'tests']);
    expect(paths.filter((path) => path.includes('/core/tests'))).toEqual([]);
  });

  it('knows extension modules of the standard library by where they are imported from', () => {
    const library = 'usr/lib/python3.13';
    const { went } = trimmed(
      [
        file(`${library}/lib-dynload/_testcapi.cpython-313-x86_64-linux-gnu.so`, '1'),
        file(`${library}/lib-dynload/_testbuffer.cpython-313-x86_64-linux-gnu.so`, '2'),
        file(`${library}/lib-dynload/_ssl.cpython-313-x86_64-linux-gnu.so`, '3'),
        file(`${library}/test/support/__init__.py`, ''),
        file(`${library}/x.py`, 'try:\n    import _testcapi\nexcept ImportError: pass\n'),
      ],
      ['tests'],
    );
    expect(went).toEqual([
      `${library}/lib-dynload/_testbuffer.cpython-313-x86_64-linux-gnu.so`,
      `${library}/test`,
      `${library}/test/support`,
      `${library}/test/support/__init__.py`,
    ]);
  });
});
