import { spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DEFAULT_LIMITS, type Recipe } from '../../src/recipe/recipe.ts';
import { resolveRecipe } from '../../src/resolve/resolve-recipe.ts';
import type { Resolution } from '../../src/resolve/resolution.ts';

const LINES = ['numpy', 'pandas', 'requests', 'httpx', 'pydantic', 'matplotlib'];

const RECIPE: Recipe = {
  name: 'agree',
  file: '/agree/recipe.yaml',
  architectures: ['amd64'],
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
const hasUv = (folder: string): boolean => spawnSync(join(folder, 'uv'), ['--version']).status === 0;

let folder = '';
let uvFolder: string | undefined;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'resolvers-agree-'));
  uvFolder = PATH.find(hasUv) ?? installUv(join(folder, 'venv'));
}, 180_000);

afterAll(() => rm(folder, { recursive: true, force: true }));

function installUv(venv: string): string | undefined {
  const steps: readonly (readonly [string, readonly string[]])[] = [
    ['python3', ['-m', 'venv', venv]],
    [join(venv, 'bin/pip'), ['install', '--quiet', 'uv']],
  ];
  const worked = steps.every(([program, parameters]) => spawnSync(program, parameters).status === 0);
  return worked ? join(venv, 'bin') : undefined;
}

async function resolveOn(path: readonly string[]): Promise<Resolution> {
  const environment = { ...process.env, PATH: path.join(delimiter) };
  const settings = {
    environment,
    hostArchitecture: 'amd64' as const,
    cacheFolder: join(folder, 'cache'),
    temporaryFolder: join(folder, 'tmp'),
    now: 4e9,
  };
  return await resolveRecipe({ recipe: RECIPE, upgrade: 'none', settings });
}

describe('uv and pip', { timeout: 300_000 }, () => {
  it('give the same lockfile entries for the same requirements', async ({ skip }) => {
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
    expect(byUv.targets.get('amd64')?.wheels.length).toBeGreaterThan(LINES.length);
  });
});
