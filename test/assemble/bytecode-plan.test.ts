import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cacheTag, chunksOf, importableSources } from '../../src/assemble/bytecode-plan.ts';
import type { PythonSource } from '../../src/assemble/bytecode-plan.ts';
import { elfFacts, treeOf } from './elf-trees.ts';

const PYTHON = {
  version: '3.13.5',
  path: '/usr/bin/python3.13',
  glibc: '2.41',
  sitePath: '/usr/local/lib/python3.13/dist-packages',
  prefix: '/usr/local',
};

function sources(...paths: readonly string[]): string[] {
  const { tree } = treeOf(Object.fromEntries(paths.map((path) => [path, `# ${path}`])));
  const artifact = { entries: [...tree.values()], scripts: [], metadata: '' };
  return importableSources(artifact, PYTHON).map(({ entry, bytecode }) => `${entry.path} ${bytecode}`);
}

describe('importableSources()', () => {
  it.each([
    [
      'usr/local/lib/python3.13/dist-packages/a.py',
      'usr/local/lib/python3.13/dist-packages/__pycache__/a.cpython-313.pyc',
    ],
    ['usr/lib/python3.13/json/__init__.py', 'usr/lib/python3.13/json/__pycache__/__init__.cpython-313.pyc'],
    ['usr/lib/python3/dist-packages/a.b.py', 'usr/lib/python3/dist-packages/__pycache__/a.b.cpython-313.pyc'],
    [
      'opt/venv/lib/python3.13/site-packages/x/y.py',
      'opt/venv/lib/python3.13/site-packages/x/__pycache__/y.cpython-313.pyc',
    ],
  ])('gives %s its place', (path, bytecode) => {
    expect(sources(path)).toEqual([`${path} ${bytecode}`]);
  });

  it('leaves out programs, other files, the library of another version, and links', () => {
    expect(
      sources(
        'usr/bin/tool.py',
        'usr/share/doc/x/example.py',
        'usr/lib/python3.12/os.py',
        'usr/lib/python3.13/os.pyc',
        'usr/lib/python3.13/lib-dynload/x.so',
        'usr/lib/my-site-packages/x.py',
      ),
    ).toEqual([]);
    const link = treeOf({ 'usr/lib/python3.13/sitecustomize.py': '-> /etc/python3.13/sitecustomize.py' });
    expect(importableSources({ entries: [...link.tree.values()], scripts: [], metadata: '' }, PYTHON)).toEqual([]);
  });

  it('names the bytecode of Python 3.9 and 3.14 as these do', () => {
    expect(cacheTag({ ...PYTHON, version: '3.9.2' })).toBe('cpython-39');
    expect(cacheTag({ ...PYTHON, version: '3.14.0rc2' })).toBe('cpython-314');
  });
});

function source(size: number): PythonSource {
  const [entry] = treeOf({ x: elfFacts() }).tree.values();
  if (entry?.kind !== 'file') throw new Error('not a file');
  return { entry: { ...entry, size }, bytecode: 'x.pyc' };
}

describe('chunksOf()', () => {
  it('starts a new chunk after 64 files and before 4 MiB are passed', () => {
    expect(chunksOf(Array.from({ length: 130 }, () => source(1))).map(({ length }) => length)).toEqual([64, 64, 2]);
    const sizes = [3, 1, 1, 5, 1].map((mebibytes) => source(mebibytes * 1024 ** 2));
    expect(chunksOf(sizes).map(({ length }) => length)).toEqual([2, 1, 1, 1]);
  });

  it('keeps every file once, in order, and makes no empty chunk', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(9 * 1024 ** 2), { maxLength: 300 }), (sizes) => {
        const all = sizes.map((size) => source(size));
        const chunks = chunksOf(all);
        expect(chunks.flat()).toEqual(all);
        expect(chunks.every(({ length }) => length > 0)).toBe(true);
      }),
      { numRuns: 30 },
    );
  });
});
