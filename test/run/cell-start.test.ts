import { describe, expect, it } from 'vitest';
import { cellPaths, loaderWords, pathVariables } from '../../src/run/cell-start.ts';

describe('cellPaths()', () => {
  it('are those of the image where its root is the cell’s', () => {
    for (const tier of ['A', 'B', 'C'] as const) {
      expect(cellPaths(tier, '/store/rootfs/x', '/slots')).toEqual({ root: '', tmp: '/tmp', program: '/run/program/' });
    }
    expect(pathVariables(cellPaths('A', '/r', undefined))).toEqual({
      HOME: '/tmp',
      PATH: '/usr/local/bin:/usr/bin:/bin',
    });
  });

  it('are those of the run’s own folder in tier D', () => {
    const paths = cellPaths('D', '/r', '/run/1');
    expect(paths).toEqual({ root: '/r', tmp: '/run/1/tmp', program: '/run/1/program/' });
    expect(pathVariables(paths)).toEqual({
      HOME: '/run/1/tmp',
      TMPDIR: '/run/1/tmp',
      PATH: '/r/usr/local/bin:/r/usr/bin:/r/bin',
    });
  });
});

describe('loaderWords()', () => {
  it('start an interpreter by the loader and the libraries of its own image', () => {
    const words = loaderWords({
      root: '/r',
      loader: '/usr/lib64/ld.so',
      interpreter: '/usr/bin/python3.13',
      name: '/usr/bin/python3',
      libraries: ['/usr/lib', '/lib'],
    });
    expect(words).toEqual([
      '/r/usr/lib64/ld.so',
      '--inhibit-cache',
      '--library-path',
      '/r/usr/lib:/r/lib',
      '--argv0',
      '/r/usr/bin/python3',
      '/r/usr/bin/python3.13',
    ]);
  });
});
