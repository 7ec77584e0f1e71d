import { expect, it } from 'vitest';
import { shellWord } from '../../src/base/shell-word.ts';

it('shellWord() leaves plain names alone and quotes what a shell would obey', () => {
  expect(['/libGL.so.1', '/libstdc++.so.6', "/x;it's $(id)", ''].map(shellWord)).toEqual([
    '/libGL.so.1',
    '/libstdc++.so.6',
    `'/x;it'\\''s $(id)'`,
    "''",
  ]);
});
