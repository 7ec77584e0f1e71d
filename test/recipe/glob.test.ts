import { expect, it } from 'vitest';
import { globFault } from '../../src/recipe/glob.ts';

it.each([
  '/usr/share/doc',
  '/usr/**/x',
  '/a/lib*+*.so.?',
  '/a/{b,c{d,e}}',
  '/a/[a-z][!0-9]',
  '/a/[^x]',
  '/{*a*,*b*,*c*}',
])('globFault() finds nothing wrong with %s', (glob) => {
  expect(globFault(glob)).toBeUndefined();
});

it.each([
  ['usr/share', 'an absolute path in the image'],
  ['', 'an absolute path in the image'],
  ['/', 'made of names, `*`, `**`, `?`, `[a-z]` and `{a,b}`'],
  ['/a b', 'made of names, `*`, `**`, `?`, `[a-z]` and `{a,b}`'],
  ['/(a+)+b', 'made of names, `*`, `**`, `?`, `[a-z]` and `{a,b}`'],
  ['/a/../b', 'without `..`, `.` and empty names'],
  ['/a/{1..9}', 'without `..`, `.` and empty names'],
  ['/a//b', 'without `..`, `.` and empty names'],
  ['/a/', 'without `..`, `.` and empty names'],
  ['/a/./b', 'without `..`, `.` and empty names'],
  [`/${'a'.repeat(256)}`, 'at most 256 characters long'],
  ['/*a*a*a*a', 'of at most 12 `*`, 3 of them in a name'],
  [`/${'*/'.repeat(12)}*`, 'of at most 12 `*`, 3 of them in a name'],
  ['/{*a,b}{*a,b}{*a,b}{*a,b}', 'of at most 12 `*`, 3 of them in a name'],
  ['/a[b', 'with every bracket closed'],
  ['/a]', 'with every bracket closed'],
  ['/a{b', 'with every bracket closed'],
  ['/a}b{', 'with every bracket closed'],
])('globFault() refuses %j', (glob, fault) => {
  expect(globFault(glob)).toBe(fault);
});
