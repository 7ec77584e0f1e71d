import type { Digest } from '../../src/base/digest.ts';
import type { Lockfile } from '../../src/lock/lockfile.ts';
import { DEFAULT_LIMITS } from '../../src/recipe/recipe.ts';
import type { DebianBase, Recipe } from '../../src/recipe/recipe.ts';
import type { Resolution, ResolvedTarget } from '../../src/resolve/resolution.ts';

export function toyDigest(digit: string): Digest {
  return `sha256:${digit.repeat(64)}`;
}

export const TOY_BASE: DebianBase = {
  kind: 'debian',
  suite: 'trixie',
  mirror: undefined,
  components: ['main'],
  packages: ['ca-certificates', 'python3'],
};

export const TOY_RECIPE: Recipe = {
  name: 'toy',
  file: '/recipes/toy/recipe.yaml',
  architectures: ['amd64'],
  base: TOY_BASE,
  python: { file: 'python-requirements.txt', lines: ['numpy<2', 'pandas'], indexUrl: undefined },
  files: [{ path: 'etc/motd', mode: 0o644, content: Buffer.from('hello\n') }],
  sandbox: {
    syscalls: { profile: 'python', allow: [], deny: [] },
    network: 'none',
    limits: DEFAULT_LIMITS,
    minimumTier: 'C',
  },
  sources: [],
};

export const TOY_TARGET: ResolvedTarget = {
  interpreter: {
    version: '3.13.5',
    path: '/usr/bin/python3.13',
    glibc: '2.41',
    sitePath: '/usr/local/lib/python3.13/dist-packages',
    prefix: '/usr/local',
  },
  indexes: [
    {
      archive: 'debian',
      suite: 'trixie',
      component: 'main',
      inRelease: toyDigest('a'),
      packages: toyDigest('b'),
      date: 1_760_000_000,
    },
  ],
  debs: [
    {
      kind: 'deb',
      name: 'libc6',
      version: '2.41-12',
      architecture: 'amd64',
      suite: 'trixie',
      path: 'pool/main/g/glibc/libc6_2.41-12_amd64.deb',
      size: 2_840_000,
      digest: toyDigest('1'),
      depends: [],
    },
    {
      kind: 'deb',
      name: 'python3',
      version: '3.13.5-1',
      architecture: 'all',
      suite: 'trixie',
      path: 'pool/main/p/python3-defaults/python3_3.13.5-1_all.deb',
      size: 28_200,
      digest: toyDigest('2'),
      depends: ['libc6'],
    },
  ],
  wheels: [
    {
      kind: 'wheel',
      name: 'numpy',
      version: '1.26.4',
      file: 'numpy-1.26.4-cp313-cp313-manylinux_2_17_x86_64.whl',
      size: 18_000_000,
      digest: toyDigest('3'),
      uploaded: 1_700_000_000,
    },
    {
      kind: 'wheel',
      name: 'pandas',
      version: '2.2.3',
      file: 'pandas-2.2.3-cp313-cp313-manylinux_2_17_x86_64.whl',
      size: 12_000_000,
      digest: toyDigest('4'),
      uploaded: undefined,
    },
  ],
};

export const TOY_RESOLUTION: Resolution = {
  epoch: { seconds: 1_760_000_000, from: 'debian trixie InRelease' },
  resolvers: [
    { name: 'apt', version: '2.6.1' },
    { name: 'uv', version: '0.12.5' },
  ],
  targets: new Map([['amd64', TOY_TARGET]]),
};

/** `lock` with the image's identity filled in, as a build does it. */
export function withDiffId(lock: Lockfile, diffId: Digest): Lockfile {
  const targets = [...lock.targets].map(([architecture, target]) => [architecture, { ...target, diffId }] as const);
  return { ...lock, targets: new Map(targets) };
}
