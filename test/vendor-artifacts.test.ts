import { existsSync, rmSync } from 'node:fs';
import { expect, it } from 'vitest';
import type { Architecture } from '../src/base/architecture.ts';
import { digestOf, hexOf } from '../src/base/digest.ts';
import { noProgress } from '../src/base/progress.ts';
import type { LockedTarget, Lockfile } from '../src/lock/lockfile.ts';
import { vendorArtifacts } from '../src/vendor-artifacts.ts';
import { TOY_RECIPE, toyDigest } from './lock/toy-recipe.ts';
import { scratchStore } from './store/scratch-store.ts';
import { workplace } from './support/command.ts';

it('vendorArtifacts() prunes nothing that the lockfile names for an architecture that it does not collect', async () => {
  await using work = await workplace();
  await work.write({ 'usr/amd64': 'a', 'usr/arm64': 'b', [`vendor/host/${hexOf(digestOf('old'))}`]: 'old' });
  const target = (name: Architecture, content: string): readonly [Architecture, LockedTarget] => [
    name,
    {
      interpreter: undefined,
      indexes: [],
      debs: [],
      wheels: [],
      diffId: undefined,
      host: {
        files: [{ kind: 'file', path: work.path('usr', name), mode: 0o644, size: 1, digest: digestOf(content) }],
        folders: [],
      },
    },
  ];
  const lock: Lockfile = {
    format: 1,
    recipe: { name: 'toy', digest: toyDigest('0'), inputs: {} },
    epoch: { seconds: 1_760_000_000, from: 'x' },
    resolvers: [],
    targets: new Map([target('amd64', 'a'), target('arm64', 'b')]),
  };
  const context = {
    store: await scratchStore(),
    environment: process.env,
    hostArchitecture: 'amd64',
    signal: new AbortController().signal,
    progress: noProgress,
    now: 2_000_000_000,
  } as const;
  const request = { recipe: TOY_RECIPE, lock, folder: work.path('vendor') };
  const both = await vendorArtifacts({ ...request, architectures: ['amd64', 'arm64'], prune: false }, context);
  expect(both.others).toEqual([`host/${hexOf(digestOf('old'))}`]);
  rmSync(work.path('usr'), { recursive: true });
  const one = await vendorArtifacts({ ...request, architectures: ['amd64'], prune: true }, context);
  expect(one).toMatchObject({
    others: both.others,
    files: [{ isKept: true, artifact: { name: work.path('usr/amd64') } }],
  });
  expect(['a', 'b', 'old'].map((text) => existsSync(work.path('vendor/host', hexOf(digestOf(text)))))).toEqual([
    true,
    true,
    false,
  ]);
});
