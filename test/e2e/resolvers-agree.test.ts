import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Architecture } from '../../src/base/architecture.ts';
import { DEFAULT_LIMITS, type Recipe } from '../../src/recipe/recipe.ts';
import { resolveRecipe } from '../../src/resolve/resolve-recipe.ts';
import type { Resolution } from '../../src/resolve/resolution.ts';
import { startToyIndex, type ToyWheel } from '../support/toy-index.ts';
import { findUv, hasUv } from '../support/uv.ts';

const LINES = ['numpy', 'pandas', 'httpx', 'pydantic'];

const RECIPE: Recipe = {
  name: 'agree',
  file: '/agree/recipe.yaml',
  architectures: ['amd64', 'arm64'],
  base: { kind: 'debian', suite: 'trixie', mirror: undefined, components: ['main'], packages: ['python3'] },
  python: { file: 'python-requirements.txt', lines: LINES, indexUrl: undefined },
  files: [],
  sandbox: {
    syscalls: { profile: 'python', allow: [], deny: [] },
    network: 'none',
    limits: DEFAULT_LIMITS,
    minimumTier: 'D',
  },
  sources: [],
};

/** Folders of PATH that have a uv are set apart, so that each resolver runs alone. */
const PATH = (process.env['PATH'] ?? '').split(delimiter);

let folder = '';
let uvFolder: string | undefined;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'resolvers-agree-'));
  uvFolder = findUv(join(folder, 'venv'));
}, 180_000);

afterAll(() => rm(folder, { recursive: true, force: true }));

async function resolveOn(path: readonly string[], recipe: Recipe = RECIPE): Promise<Resolution> {
  const environment = { ...process.env, PATH: path.join(delimiter) };
  const settings = {
    environment,
    hostArchitecture: 'amd64' as const,
    cacheFolder: join(folder, 'cache'),
    temporaryFolder: join(folder, 'tmp'),
    now: 4e9,
  };
  return await resolveRecipe({ recipe, upgrade: 'none', settings });
}

const CP = 'cp313-cp313';

/** What each machine gets is written into the metadata of packages, not only into the requirements. */
const WHEELS: readonly ToyWheel[] = [
  { name: 'top', version: '1', requires: ['arm-only; platform_machine == "aarch64"', 'deep'] },
  { name: 'arm-only', version: '1', requires: ['both>=2; platform_machine != "x86_64"'] },
  { name: 'deep', version: '1', requires: ['amd-only; platform_machine in "x86_64 i686"'] },
  { name: 'amd-only', version: '1', tag: `${CP}-manylinux_2_17_x86_64` },
  ...['1', '2'].flatMap((version) => [
    { name: 'both', version, tag: `${CP}-manylinux_2_17_x86_64.manylinux2014_x86_64` },
    { name: 'both', version, tag: `${CP}-manylinux_2_39_aarch64` },
    { name: 'both', version, tag: `${CP}-manylinux2014_aarch64` },
  ]),
  { name: 'abi', version: '1', tag: 'cp39-abi3-manylinux_2_28_aarch64' },
  { name: 'abi', version: '1', tag: 'cp39-abi3-manylinux_2_5_x86_64' },
  { name: 'abi', version: '2', tag: 'cp39-abi3-manylinux_2_42_aarch64' },
  { name: 'abi', version: '2', tag: 'cp39-abi3-manylinux_2_5_x86_64' },
  { name: 'exact', version: '1' },
];

const MARKED = ['top', 'abi', 'exact; python_full_version >= "3.13.0"', 'both; platform_machine == "aarch64"'];

const EXPECTED = {
  amd64: ['abi-2-cp39-abi3-manylinux_2_5_x86_64.whl', `amd_only-1-${CP}-manylinux_2_17_x86_64.whl`],
  arm64: ['abi-1-cp39-abi3-manylinux_2_28_aarch64.whl', 'arm_only-1-py3-none-any.whl'],
};

describe.each([
  ['uv', true],
  ['pip', false],
])('%s', { timeout: 300_000 }, (tool, isUv) => {
  it('follows the markers and the tags of each machine', async ({ skip }) => {
    if (isUv && uvFolder === undefined) {
      console.warn('NOT TESTED: uv could not be had (no network?)');
      skip();
      return;
    }
    await using index = await startToyIndex({ wheels: WHEELS });
    const withoutUv = PATH.filter((one) => !hasUv(one));
    const path = isUv && uvFolder !== undefined ? [uvFolder, ...withoutUv] : withoutUv;
    const python = { file: 'r.txt', lines: MARKED, indexUrl: index.url };
    const { targets, resolvers, differences = [] } = await resolveOn(path, { ...RECIPE, python });
    expect(resolvers.map(({ name }) => name)).toEqual(['apt', tool]);
    const filesOf = (architecture: Architecture): readonly (string | undefined)[] =>
      targets.get(architecture)?.wheels.map(({ file }) => file) ?? [];
    const everywhere = ['deep-1-py3-none-any.whl', 'exact-1-py3-none-any.whl', 'top-1-py3-none-any.whl'];
    expect(filesOf('amd64')).toEqual([...EXPECTED.amd64, ...everywhere].toSorted());
    expect(filesOf('arm64')).toEqual(
      [...EXPECTED.arm64, `both-2-${CP}-manylinux_2_39_aarch64.whl`, ...everywhere].toSorted(),
    );
    expect(differences).toEqual([
      'abi: 2 on amd64, 1 on arm64: 2 has no wheel for arm64',
      'amd-only: 1 on amd64, none on arm64: its marker, or a package that needs it, is for amd64 only',
      'arm-only: none on amd64, 1 on arm64: its marker, or a package that needs it, is for arm64 only',
      'both: none on amd64, 2 on arm64: its marker, or a package that needs it, is for arm64 only',
    ]);
  });
});

describe('uv and pip', { timeout: 300_000 }, () => {
  it('give the same lockfile entries for the same requirements, for either architecture', async ({ skip }) => {
    const withoutUv = PATH.filter((one) => !hasUv(one));
    if (uvFolder === undefined || process.arch !== 'x64') {
      console.warn('NOT TESTED: uv could not be had (no network?), or this is no amd64 machine');
      skip();
      return;
    }
    const byUv = await resolveOn([uvFolder, ...withoutUv]);
    const byPip = await resolveOn(withoutUv);
    expect(byUv.resolvers.map(({ name }) => name)).toEqual(['apt', 'uv']);
    expect(byPip.resolvers.map(({ name }) => name)).toEqual(['apt', 'pip']);
    expect(byPip.targets).toEqual(byUv.targets);
    expect(byPip.differences).toEqual(byUv.differences);
    expect(byUv.targets.get('amd64')?.wheels.length).toBeGreaterThan(LINES.length);
    const files = byPip.targets.get('arm64')?.wheels.map(({ file }) => file);
    expect(files?.filter((file) => file.endsWith('_aarch64.whl')).length).toBeGreaterThan(2);
    expect(files?.filter((file) => file.includes('x86_64'))).toEqual([]);
  });
});
