import { describe, expect, it } from 'vitest';
import { interpreterLayout } from '../../src/assemble/interpreter-files.ts';
import { elfFacts, treeOf } from './elf-trees.ts';

const PYTHON = { version: '3.13.5', path: '/usr/bin/python3', glibc: '2.41', sitePath: '/x', prefix: '/usr/local' };
const LIBRARIES = 'usr/lib/x86_64-linux-gnu';

describe('interpreterLayout()', () => {
  it('takes program, loader, libraries of libraries with their links, and start modules, and nothing else', () => {
    const { tree } = treeOf({
      lib: '-> usr/lib',
      lib64: '-> usr/lib64',
      'usr/bin/python3': '-> python3.13',
      'usr/bin/python3.13': elfFacts({
        interpreter: '/lib64/ld-linux-x86-64.so.2',
        needed: ['libz.so.1', 'libgone.so'],
      }),
      'usr/lib64/ld-linux-x86-64.so.2': `-> ../lib/x86_64-linux-gnu/ld.so`,
      [`${LIBRARIES}/ld.so`]: elfFacts(),
      [`${LIBRARIES}/libz.so.1`]: '-> libz.so.1.3',
      [`${LIBRARIES}/libz.so.1.3`]: elfFacts({ needed: ['libc.so.6', 'libz.so.1'] }),
      [`${LIBRARIES}/libc.so.6`]: elfFacts(),
      [`${LIBRARIES}/libother.so`]: elfFacts(),
      'usr/lib/python3.13/os.py': '',
      'usr/lib/python3.13/json/__init__.py': '',
      'usr/lib/python3.13/encodings/latin_1.py': 'x',
    });
    expect(interpreterLayout(tree, PYTHON)).toEqual({
      files: [
        'usr/bin/python3.13',
        'usr/lib/python3.13/encodings/latin_1.py',
        'usr/lib/python3.13/os.py',
        `${LIBRARIES}/ld.so`,
        `${LIBRARIES}/libc.so.6`,
        `${LIBRARIES}/libz.so.1`,
        `${LIBRARIES}/libz.so.1.3`,
      ],
      program: 'usr/bin/python3.13',
      loader: `${LIBRARIES}/ld.so`,
      libraryFolders: [LIBRARIES],
      home: 'usr',
    });
  });

  it.each([
    ['is missing', {}],
    ['is a script', { 'usr/bin/python3': '#!/bin/sh\n' }],
    ['is for a machine that we do not know', { 'usr/bin/python3': elfFacts({ machine: 8 }) }],
  ])('refuses an interpreter that %s', (_, files) => {
    expect(() => interpreterLayout(treeOf(files).tree, PYTHON)).toThrow(
      /`\/usr\/bin\/python3`: is no program for a known machine/,
    );
  });

  it('ends on links in a circle', () => {
    const { tree } = treeOf({ 'usr/bin/python3': elfFacts({ needed: ['liba.so'] }), 'usr/lib/liba.so': '-> liba.so' });
    expect(interpreterLayout(tree, PYTHON).files).toEqual(['usr/bin/python3']);
  });
});
