import { describe, expect, it } from 'vitest';
import { buildSystem, staticMetadata } from '../../src/assemble/project-facts.ts';
import { sourceTree, type SourceTree } from '../../src/assemble/source-tree.ts';

function tree(files: Readonly<Record<string, string>>): SourceTree {
  const named = Object.entries(files).map(([path, text]) => {
    return [path, { kind: 'file', content: Buffer.from(text), isExecutable: false }] as const;
  });
  return sourceTree(named, 0);
}

const LEGACY = { requires: ['setuptools>=40.8.0'], backend: 'setuptools.build_meta:__legacy__', backendPath: [] };

describe('buildSystem()', () => {
  it('reads what PEP 517 and PEP 518 define', () => {
    const text = '[build-system]\nrequires = ["a>=1"]\nbuild-backend = "b.c:d"\nbackend-path = ["_build"]\n';
    expect(buildSystem(tree({ 'pyproject.toml': text }), '')).toEqual({
      requires: ['a>=1'],
      backend: 'b.c:d',
      backendPath: ['_build'],
    });
    expect(buildSystem(tree({ 'python/pyproject.toml': text }), 'python').backend).toBe('b.c:d');
  });

  it('takes setuptools where nothing is said', () => {
    expect(buildSystem(tree({ 'setup.py': '' }), '')).toEqual(LEGACY);
    expect(buildSystem(tree({ 'pyproject.toml': '[tool.black]\n' }), '')).toEqual(LEGACY);
    expect(buildSystem(tree({ 'pyproject.toml': '[build-system]\nrequires = ["x"]\n' }), '')).toEqual({
      ...LEGACY,
      requires: ['x'],
    });
  });

  it.each([
    [{}, /neither/],
    [{ 'pyproject.toml': '[build-system\n' }, /no TOML/],
    [{ 'pyproject.toml': '[build-system]\nrequires = "x"\n' }, /malformed/],
    [{ 'pyproject.toml': '[build-system]\nrequires = [1]\n' }, /malformed/],
    [{ 'pyproject.toml': '[build-system]\nrequires = []\nbuild-backend = "a; import os"\n' }, /no name/],
    [{ 'pyproject.toml': '[build-system]\nrequires = []\nbackend-path = ["../x"]\n' }, /leaves/],
  ])('refuses %j', (files, fault) => {
    expect(() => buildSystem(tree(files), '')).toThrow(fault);
  });
});

describe('staticMetadata()', () => {
  const head = 'Name: x\nVersion: 1\nRequires-Dist: y\n';
  it.each([
    ['2.2', '', true],
    ['2.4', 'Dynamic: License-File\n', true],
    ['3.0', '', true],
    ['2.1', '', false],
    ['2.2', 'Dynamic: Requires-Dist\n', false],
    ['2.2', 'dynamic: requires-dist\n', false],
    ['1.0', '', false],
  ])('of version %s with %j: believed %s', (version, more, believed) => {
    const text = `Metadata-Version: ${version}\n${head}${more}\nDynamic: Requires-Dist\n`;
    expect(staticMetadata(tree({ 'PKG-INFO': text }))).toBe(believed ? text : undefined);
  });

  it('is not there without a PKG-INFO', () => {
    expect(staticMetadata(tree({}))).toBeUndefined();
  });
});
