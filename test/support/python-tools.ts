import { spawnSync } from 'node:child_process';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { DEFAULT_SANDBOX, type PythonRequirements, type Recipe } from '../../src/recipe/recipe.ts';
import type { UnpackedInterpreter } from '../../src/resolve/image-interpreter.ts';
import type { WheelArtifact } from '../../src/resolve/resolution.ts';
import { resolveRecipe } from '../../src/resolve/resolve-recipe.ts';
import { resolveWheels } from '../../src/resolve/resolve-wheels.ts';
import { startToyIndex } from './toy-index.ts';

/** The Python of trixie, which both tools resolve for. */
const TARGET = { architecture: 'amd64', pythonVersion: '3.13.5', glibc: '2.41' } as const;

export type Tool = 'uv' | 'pip';

export interface Question {
  readonly python: Partial<PythonRequirements>;
  readonly environment?: Readonly<Record<string, string>>;
  /** Of the recipe. */
  readonly folder?: string;
  readonly preferences?: ReadonlyMap<string, string>;
  readonly cutOff?: number;
}

export interface PythonTools {
  /** Those that this machine has. */
  readonly tools: readonly Tool[];
  /** The wheels that a tool alone resolves to. */
  readonly resolve: (tool: Tool, question: Question) => Promise<readonly WheelArtifact[]>;
  /** All that the last `resolve` warned of. */
  readonly warnings: string[];
}

const PATH = (process.env['PATH'] ?? '').split(delimiter);

/** Folders of PATH that have a uv are set apart, so that each tool runs alone. */
function hasUv(folder: string): boolean {
  return spawnSync(join(folder, 'uv'), ['--version']).status === 0;
}

/** uv of this machine or of its package index, and the pip of trixie with its interpreter. `folder` is for what they need. */
export async function pythonTools(folder: string): Promise<PythonTools> {
  const uv = PATH.find(hasUv) ?? installUv(join(folder, 'venv'));
  const withoutUv = PATH.filter((one) => !hasUv(one));
  const hostArchitecture = 'amd64' as const;
  const settings = {
    hostArchitecture,
    cacheFolder: join(folder, 'cache'),
    temporaryFolder: join(folder, 'tmp'),
    now: 4e9,
  };
  const interpreter = await imageInterpreter({
    ...settings,
    environment: { ...process.env, PATH: withoutUv.join(delimiter) },
  });
  const warnings: string[] = [];
  await mkdir(join(folder, 'home'), { recursive: true });
  await writeFile(join(folder, 'home/empty'), '');
  return {
    tools: [...(uv === undefined ? [] : (['uv'] as const)), ...(interpreter === undefined ? [] : (['pip'] as const))],
    warnings,
    resolve: async (tool, { python, environment, folder: recipe = folder, preferences = new Map(), cutOff }) => {
      const path = tool === 'uv' ? [uv ?? '', ...withoutUv] : withoutUv;
      const own = environment?.['PATH'] === undefined ? path : [environment['PATH'], ...path];
      warnings.length = 0;
      const { wheels, resolver } = await resolveWheels(
        {
          python: { file: 'r.txt', lines: [], indexUrl: undefined, ...python },
          folder: recipe,
          target: TARGET,
          versions: { locked: preferences, peer: new Map() },
          cutOff,
          findInterpreter: () =>
            interpreter === undefined ? Promise.reject(new Error('no interpreter')) : Promise.resolve(interpreter),
        },
        {
          ...settings,
          environment: { HOME: join(folder, 'home'), ...environment, PATH: own.join(delimiter) },
          progress: (event) => {
            if (event.kind === 'warning') warnings.push(event.message);
          },
        },
      );
      if (resolver.name !== tool) throw new Error(`${tool} was to resolve, not ${resolver.name}`);
      return wheels;
    },
  };
}

function installUv(venv: string): string | undefined {
  const steps: readonly (readonly [string, readonly string[]])[] = [
    ['python3', ['-m', 'venv', venv]],
    [join(venv, 'bin/pip'), ['install', '--quiet', 'uv']],
  ];
  const worked = steps.every(([program, parameters]) => spawnSync(program, parameters).status === 0);
  return worked ? join(venv, 'bin') : undefined;
}

/** Unpacked by a first resolve without uv; undefined where there is no Debian archive. */
async function imageInterpreter(
  settings: Parameters<typeof resolveRecipe>[0]['settings'],
): Promise<UnpackedInterpreter | undefined> {
  if (process.arch !== 'x64') return undefined;
  await using index = await startToyIndex({ wheels: [{ name: 'one', version: '1' }] });
  const recipe: Recipe = {
    name: 'tools',
    file: '/tools/recipe.yaml',
    architectures: ['amd64'],
    base: { kind: 'debian', suite: 'trixie', mirror: undefined, components: ['main'], packages: ['python3'] },
    python: { file: 'r.txt', lines: ['one'], indexUrl: index.url },
    files: [],
    sandbox: DEFAULT_SANDBOX,
    sources: [],
  };
  try {
    await resolveRecipe({ recipe, upgrade: 'none', settings });
  } catch (error) {
    console.warn('NOT TESTED: pip of the image could not be had', error);
    return undefined;
  }
  const [key = ''] = await readdir(join(settings.cacheFolder, 'interpreter'));
  const home = join(settings.cacheFolder, 'interpreter', key);
  const wheels = join(home, 'usr/share/python-wheels');
  const pip = (await readdir(wheels)).find((name) => /^pip-.*\.whl$/.test(name)) ?? '';
  const program = join(home, 'rootcellar-python');
  // Unpacked and compiled, it starts in a fraction of the time.
  const unpacked = join(settings.cacheFolder, pip);
  spawnSync(program, ['-m', 'zipfile', '-e', join(wheels, pip), unpacked]);
  spawnSync(program, ['-m', 'compileall', '-q', unpacked]);
  return { program, pip: join(unpacked, 'pip') };
}
