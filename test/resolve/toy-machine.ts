import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Recipe } from '../../src/recipe/recipe.ts';
import { resolveRecipe, type ResolveRequest } from '../../src/resolve/resolve-recipe.ts';
import type { Resolution } from '../../src/resolve/resolution.ts';
import { startToyArchive, type ToyArchive, type ToyArchiveOptions } from '../support/toy-archive.ts';

/** A machine whose apt knows only the toy archive. */
export interface Machine extends AsyncDisposable {
  readonly archive: ToyArchive;
  readonly folder: string;
  readonly resolve: (request?: Partial<ResolveRequest>) => Promise<Resolution>;
  readonly settings: ResolveRequest['settings'];
  readonly warnings: string[];
}

export async function toyMachine(recipe: Recipe, options: ToyArchiveOptions): Promise<Machine> {
  const { suites } = options;
  const archive = await startToyArchive(options);
  const folder = await mkdtemp(join(tmpdir(), 'toy-machine-'));
  await mkdir(join(folder, 'sources.list.d'));
  await writeFile(join(folder, 'sources.list.d/toy.sources'), archive.sources(Object.keys(suites)));
  await writeFile(
    join(folder, 'apt.conf'),
    `Dir::Etc::sourcelist "/dev/null"; Dir::Etc::sourceparts "${folder}/sources.list.d"; Acquire::Retries "0";\n`,
  );
  const warnings: string[] = [];
  const settings = {
    hostArchitecture: 'amd64' as const,
    environment: { PATH: process.env['PATH'], APT_CONFIG: join(folder, 'apt.conf'), HOME: folder },
    cacheFolder: join(folder, 'cache'),
    temporaryFolder: join(folder, 'tmp'),
    now: 1_800_000_000,
    progress: (event: { kind: string; message?: string }) => {
      if (event.kind === 'warning') warnings.push(event.message ?? '');
    },
  };
  return {
    archive,
    folder,
    settings,
    warnings,
    resolve: (request = {}) => resolveRecipe({ recipe, upgrade: 'none', settings, ...request }),
    [Symbol.asyncDispose]: async () => {
      await archive.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
