import { expect, it } from 'vitest';
import { canonicalJson } from '../../src/base/canonical-json.ts';
import { digestOf } from '../../src/base/digest.ts';
import type { LockedTarget, Lockfile } from '../../src/lock/lockfile.ts';
import { targetKey } from '../../src/lock/target-key.ts';

const TARGET: LockedTarget = {
  interpreter: { version: '3.13.5', path: '/usr/bin/python3.13', glibc: '2.41', sitePath: '/s', prefix: '/usr/local' },
  indexes: [],
  debs: [],
  wheels: [
    { kind: 'wheel', name: 'a', version: '1', file: 'a-1.whl', size: 3, digest: digestOf('a'), uploaded: undefined },
  ],
  diffId: undefined,
};

const LOCK: Lockfile = {
  format: 1,
  recipe: { name: 'python', digest: digestOf('recipe'), inputs: {} },
  epoch: { seconds: 1_700_000_000, from: 'trixie' },
  resolvers: [],
  targets: new Map([['amd64', TARGET]]),
};

it('targetKey() changes with whatever decides the bytes', () => {
  const keys = [
    targetKey(LOCK, 'amd64', TARGET),
    targetKey(LOCK, 'arm64', TARGET),
    targetKey({ ...LOCK, format: 2 }, 'amd64', TARGET),
    targetKey({ ...LOCK, epoch: { seconds: 1, from: 'trixie' } }, 'amd64', TARGET),
    targetKey({ ...LOCK, recipe: { ...LOCK.recipe, inputs: { files: {} } } }, 'amd64', TARGET),
    targetKey(LOCK, 'amd64', { ...TARGET, epoch: { seconds: 2, from: 'a wheel' } }),
    targetKey(LOCK, 'amd64', { ...TARGET, wheels: [] }),
    targetKey(LOCK, 'amd64', { ...TARGET, interpreter: undefined }),
  ];
  expect(new Set(keys).size).toBe(keys.length);
});

it('targetKey() does not change with the indexes, the resolvers or the diffID', () => {
  const index = {
    archive: 'debian',
    suite: 'trixie',
    component: 'main',
    inRelease: digestOf('i'),
    packages: digestOf('p'),
    date: 5,
  };
  const other = { ...TARGET, indexes: [index], compilers: [], diffId: digestOf('d') };
  expect(targetKey({ ...LOCK, resolvers: [{ name: 'uv', version: '1' }] }, 'amd64', other)).toBe(
    targetKey(LOCK, 'amd64', TARGET),
  );
});

it('targetKey() does not change with the other architectures of recipe and lockfile', () => {
  const alone = lockFor(['amd64']);
  const both = { ...lockFor(['amd64', 'arm64']), targets: new Map([...LOCK.targets, ['arm64' as const, TARGET]]) };
  expect(targetKey(both, 'amd64', TARGET)).toBe(targetKey(alone, 'amd64', TARGET));
});

function lockFor(architectures: readonly string[]): Lockfile {
  const inputs = { architectures, name: 'python' };
  return { ...LOCK, recipe: { name: 'python', digest: digestOf(canonicalJson(inputs)), inputs } };
}
