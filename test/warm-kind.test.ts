import { describe, expect, it } from 'vitest';
import { digestOf } from '../src/base/digest.ts';
import { DEFAULT_SANDBOX } from '../src/recipe/recipe.ts';
import type { RunRequest } from '../src/run-program.ts';
import type { ImageManifest } from '../src/store/image-manifest.ts';
import type { Image } from '../src/store/image-record.ts';
import { neededModules, PARKED_CPU_MS, warmKind, warmProgram } from '../src/warm-kind.ts';

const FILE = { name: 'main.py', content: Buffer.from('pass') };
const LIMITS = DEFAULT_SANDBOX.limits;

const MANIFEST: ImageManifest = {
  name: 'python',
  architecture: 'amd64',
  format: 1,
  key: digestOf('key'),
  epoch: 5,
  interpreter: { path: '/usr/bin/python3', version: '3.13.5', glibc: '2.41', sitePath: '/s', prefix: '/usr' },
  sandbox: DEFAULT_SANDBOX,
  filter: 'AAAA',
};

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

const REQUEST: RunRequest = {
  image: IMAGE,
  program: { kind: 'file', file: FILE },
  arguments: [],
  limits: {},
  stdio: 'capture',
};

function keyOf(request: Partial<RunRequest>, manifest: Partial<ImageManifest> = {}, name = 'main.py'): string {
  const kind = warmKind({ ...REQUEST, ...request }, { ...FILE, name }, { ...MANIFEST, ...manifest });
  return kind?.key ?? 'none';
}

describe('warmProgram()', () => {
  it('has the file of a run that could be done in a cell that waited', () => {
    expect(warmProgram(REQUEST)).toBe(FILE);
    expect(warmProgram({ ...REQUEST, stdio: 'stream', files: [], outputs: [], isTraced: false })).toBe(FILE);
  });

  it.each<[string, Partial<RunRequest>]>([
    ['code', { program: { kind: 'code', code: 'pass' } }],
    ['a program that comes by stdin', { program: { kind: 'stdin' } }],
    ['stdio of the caller', { stdio: 'inherit' }],
    ['files', { files: [{ path: 'a', content: Buffer.from('a') }] }],
    ['outputs', { outputs: [{ path: 'a', to: '/a' }] }],
    ['a trace', { isTraced: true }],
    ['been cancelled', { cancel: AbortSignal.abort() }],
    ['a resolver of its own', { lookup: () => Promise.resolve([]) }],
  ])('has none where the run has %s', (_, own) => {
    expect(warmProgram({ ...REQUEST, ...own })).toBeUndefined();
  });
});

describe('warmKind()', () => {
  it('is the same for runs that differ in what their job says', () => {
    const other: Partial<RunRequest> = {
      arguments: ['x'],
      environment: { A: 'b' },
      stdio: 'stream',
      input: Buffer.from('x'),
      limits: { wallMs: 1, cpuMs: 2, outputBytes: 3 },
      cancel: new AbortController().signal,
    };
    expect(keyOf(other)).toBe(keyOf({}));
    expect(keyOf({}, {}, 'other.txt')).toBe(keyOf({}));
    expect(keyOf({ image: { ...IMAGE, name: 'alias', manifest: {} } })).toBe(keyOf({}));
    expect(keyOf({ limits: { memoryBytes: LIMITS.memoryBytes } })).toBe(keyOf({}));
  });

  it.each<[string, Partial<RunRequest>]>([
    ['image', { image: { ...IMAGE, diffId: digestOf('another') } }],
    ['memory', { limits: { memoryBytes: 1 } }],
    ['number of processes', { limits: { processes: 1 } }],
    ['size of /tmp', { limits: { tmpBytes: 1 } }],
    ['number of open files', { limits: { openFiles: 1 } }],
    ['network', { network: { mode: 'proxy', allow: ['pypi.org'] } }],
    ['/proc', { proc: true }],
    ['minimum tier', { minimumTier: 'A' }],
  ])('is another one for another %s', (_, own) => {
    expect(keyOf(own)).not.toBe(keyOf({}));
  });

  it('is another one for another policy or filter of the same image, and for Node.js', () => {
    const sandbox = { ...DEFAULT_SANDBOX, syscalls: { ...DEFAULT_SANDBOX.syscalls, allow: ['socket'] } };
    const keys = [keyOf({}), keyOf({}, { sandbox }), keyOf({}, { filter: 'BBBB' }), keyOf({}, {}, 'main.mjs')];
    expect(new Set(keys).size).toBe(4);
  });

  it('has the limits of the cell: those of the run, but those of time and output of the image', () => {
    const limits = { memoryBytes: 7, wallMs: 7, cpuMs: 7, outputBytes: 7 };
    expect(warmKind({ ...REQUEST, limits }, FILE, MANIFEST)?.limits).toEqual({ ...LIMITS, memoryBytes: 7 });
  });

  it('is none where the kernel would end the run before its limit', () => {
    const cpuMs = LIMITS.cpuMs + PARKED_CPU_MS;
    expect(keyOf({ limits: { cpuMs } })).toBe('none');
    expect(keyOf({ limits: { cpuMs: cpuMs - 1 } })).toBe(keyOf({}));
  });

  it('takes the interpreter that a cell of its own would', () => {
    const languages = ['a.py', 'a', 'a.js', 'a.mjs', 'a.cjs', 'js', '.parked'].map(
      (name) => warmKind(REQUEST, { ...FILE, name }, MANIFEST)?.language,
    );
    expect(languages).toEqual(['python', 'python', 'node', 'node', 'node', 'python', 'python']);
    expect(keyOf({}, { interpreter: undefined }, 'a.py')).toBe('none');
    expect(warmKind(REQUEST, { ...FILE, name: 'a.js' }, { ...MANIFEST, interpreter: undefined })?.language).toBe(
      'node',
    );
  });
});

describe('neededModules()', () => {
  const PREIMPORT = ['numpy', 'pandas', 'matplotlib.pyplot'];
  const needed = (text: string): readonly string[] =>
    neededModules(PREIMPORT, { name: 'main.py', content: Buffer.from(text) });

  it.each([
    ['print(1)', 0],
    ['import numpy', 1],
    ['import numpy as np\nprint(np)', 1],
    ['import os, sys, pandas as pd', 2],
    ['from pandas.core import frame', 2],
    ['def f():\n    import pandas', 2],
    ['x = 1; import pandas', 2],
    ['import matplotlib', 3],
    ['import numpy\nimport pandas', 2],
    ['# import pandas', 0],
    ['import numpyro', 0],
    ['from . import pandas', 0],
    // As the service wraps what Dify sends.
    [`exec(${JSON.stringify('import json\nimport pandas as pd\nprint(pd)')})`, 2],
    [`exec(${JSON.stringify('import pandas as pd')})`, 2],
  ])('%j needs the first %d', (text, count) => {
    expect(needed(text)).toEqual(PREIMPORT.slice(0, count));
  });

  it('is nothing where nothing is to be imported', () => {
    expect(neededModules([], { name: 'main.py', content: Buffer.from('import numpy') })).toEqual([]);
  });

  it('takes no longer for a program that was made to keep it busy', () => {
    const text = `${'import '.repeat(200_000)}\n${'from a import ('.repeat(100_000)}`;
    expect(needed(text)).toEqual([]);
  });
});

describe('warmKind() of modules', () => {
  it('is another one for other modules', () => {
    const manifest = { ...MANIFEST, sandbox: { ...DEFAULT_SANDBOX, preimport: ['numpy'] } };
    const kind = (text: string): ReturnType<typeof warmKind> =>
      warmKind(REQUEST, { name: 'main.py', content: Buffer.from(text) }, manifest);
    expect(kind('import numpy')?.modules).toEqual(['numpy']);
    expect(kind('pass')?.modules).toEqual([]);
    expect(kind('pass')?.key).not.toBe(kind('import numpy')?.key);
  });
});
