import { describe, expect, it } from 'vitest';
import { digestOf } from '../../src/base/digest.ts';
import { DEFAULT_SANDBOX } from '../../src/recipe/recipe.ts';
import { expectedRuns } from '../../src/serve/warm-cells.ts';
import type { ImageManifest } from '../../src/store/image-manifest.ts';
import type { Image } from '../../src/store/image-record.ts';

const IMAGE: Image = {
  name: 'python',
  architecture: 'amd64',
  diffId: digestOf('image'),
  size: 1,
  inputsKey: digestOf('inputs'),
  unpackedKeys: [],
  manifest: {},
  generation: 1,
};

const MANIFEST: ImageManifest = {
  name: 'python',
  architecture: 'amd64',
  format: 1,
  key: digestOf('key'),
  epoch: 5,
  interpreter: { path: '/usr/bin/python3', version: '3.13.5', glibc: '2.41', sitePath: '/s', prefix: '/usr' },
  sandbox: { ...DEFAULT_SANDBOX, preimport: ['numpy', 'pandas'] },
  filter: 'AAAA',
};

const SETTINGS = { network: undefined, limits: { wallMs: 2000 } };

describe('expectedRuns()', () => {
  it('are of each language, and of Python with each set of modules', () => {
    const runs = expectedRuns({ byLanguage: { python3: IMAGE, nodejs: IMAGE }, manifest: MANIFEST }, SETTINGS);
    const programs = runs.map(({ program }) =>
      program.kind === 'file' ? [program.file.name, Buffer.from(program.file.content).toString()] : [],
    );
    expect(programs).toEqual([
      ['main.py', ''],
      ['main.py', 'import numpy\n'],
      ['main.py', 'import pandas\n'],
      ['main.js', ''],
    ]);
    expect(runs.every(({ limits }) => limits.wallMs === 2000)).toBe(true);
  });

  it('are none of a language that the image has not', () => {
    expect(expectedRuns({ byLanguage: {}, manifest: MANIFEST }, SETTINGS)).toEqual([]);
  });
});
