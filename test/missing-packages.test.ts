import { existsSync } from 'node:fs';
import { expect, it } from 'vitest';
import { packagesOfLibraries } from '../src/missing-packages.ts';
import type { PipelineContext } from '../src/pipeline-context.ts';
import type { HostBase } from '../src/recipe/recipe.ts';
import { scratchStore } from './store/scratch-store.ts';

it('packagesOfLibraries() of a base of this machine: what it has, from no package', async () => {
  const hostArchitecture = existsSync('/lib/ld-linux-aarch64.so.1') ? 'arm64' : 'amd64';
  const store = await scratchStore();
  const signal = new AbortController().signal;
  const context: PipelineContext = {
    store,
    hostArchitecture,
    environment: {},
    signal,
    progress: () => undefined,
    now: 0,
  };
  const base: HostBase = {
    kind: 'host',
    pythonPath: {},
    libraries: [],
    place: { file: 'recipe.yaml', line: 1, column: 1 },
  };
  const libraries = ['libc.so.6', 'libnone.so.9', '/lib/libc.so.6'];
  const ask = (architecture: 'amd64' | 'arm64'): Promise<unknown> =>
    packagesOfLibraries({ recipe: { base }, architecture, libraries }, context);
  expect(await ask(hostArchitecture)).toEqual(new Map([['libc.so.6', []]]));
  expect(await ask(hostArchitecture === 'amd64' ? 'arm64' : 'amd64')).toEqual(new Map());
});
