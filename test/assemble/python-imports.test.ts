import { expect, it } from 'vitest';
import { pythonImports } from '../../src/assemble/python-imports.ts';

function modulesOf(text: string): readonly string[] {
  return pythonImports(text).flatMap(({ level, modules }) =>
    modules.map((names) => `${'.'.repeat(level)}${names.join('.')}`),
  );
}

it.each([
  ['import a.b.tests', ['a.b.tests']],
  ['import os, a.tests as t  # why', ['os', 'a.tests']],
  ['from a.tests import b, c as d', ['a.tests', 'a.tests.b', 'a.tests.c']],
  ['from . import tests', ['.', '.tests']],
  ['from ..tests.util import x', ['..tests.util', '..tests.util.x']],
  ['from.tests import(x)', ['.tests', '.tests.x']],
  ['from a import (\n    b,  # one, two\n    tests,\n)', ['a', 'a.b', 'a.tests']],
  ['from a.tests import \\\n    b', ['a.tests', 'a.tests.b']],
  ['def f():\n\tfrom .tests import run\r\n', ['.tests', '.tests.run']],
  ["m = importlib.import_module('a.tests.b')", ['a.tests.b']],
  ['__import__("tests")', ['tests']],
  ['from a import *', ['a']],
  ['if x: pass\nimport_all = 1\nfromage = 2', []],
  ['>>> from a.tests import b', []],
])('pythonImports() reads %j', (text, modules) => {
  expect(modulesOf(text)).toEqual(modules);
});

it('pythonImports() takes no time for text that is made to take time', () => {
  const nested = `from a import (${'x,'.repeat(200_000)}`;
  expect(pythonImports(nested)).toHaveLength(1);
  expect(pythonImports(`${' '.repeat(200_000)}x`)).toEqual([]);
  expect(pythonImports(`from ${'.'.repeat(200_000)}`)).toEqual([]);
  expect(pythonImports(`from ${'a.'.repeat(100_000)}`)).toEqual([]);
  expect(pythonImports('\tfrom a import (\n'.repeat(20_000))).not.toHaveLength(0);
});
