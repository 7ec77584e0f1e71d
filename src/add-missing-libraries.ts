import { readFile } from 'node:fs/promises';
import type { Architecture } from './base/architecture.ts';
import { byteOrder } from './base/byte-order.ts';
import { RootcellarError } from './base/rootcellar-error.ts';
import { buildImage, type MissingInImage } from './build-image.ts';
import { findBuilt } from './built-image.ts';
import { lockfilePath, replaceFile, writeLockfile } from './lock/lockfile-files.ts';
import type { Lockfile } from './lock/lockfile.ts';
import { planLockfile } from './lock-recipe.ts';
import type { PipelineContext } from './pipeline-context.ts';
import { SONAME } from './recipe/library-names.ts';
import { withSharedObjects, type AddedLibrary } from './recipe/shared-objects-edit.ts';
import type { Recipe } from './recipe/recipe.ts';

export interface Completion {
  readonly recipe: Recipe;
  /** Fits the recipe. */
  readonly lock: Lockfile;
  readonly architectures: readonly Architecture[];
}

export interface CompletedRecipe {
  readonly recipe: Recipe;
  readonly lock: Lockfile;
  /** What now is in `shared_objects` besides what was; empty when nothing was missing. */
  readonly added: readonly AddedLibrary[];
}

/** What is added brings all that it needs, so that a second round is rare, and a fourth is a fault of the packages. */
const MOST_ROUNDS = 4;

/**
 * Builds, and where libraries are missing puts them into `shared_objects`, until nothing is missing. `recipe.yaml` and its
 * lockfile are written at the very end, when all images have been built: neither is touched when anything goes wrong.
 * Throws the E_LIBRARY_MISSING of the build when not everything that is missing can be brought so.
 */
export async function addMissingLibraries(start: Completion, context: PipelineContext): Promise<CompletedRecipe> {
  let { recipe, lock } = start;
  const added: AddedLibrary[] = [];
  for (let round = 0; ; round += 1) {
    const missing = await missingByArchitecture({ ...start, recipe, lock }, context);
    const [first] = missing.values();
    if (first === undefined) break;
    const more = round < MOST_ROUNDS ? librariesToAdd(missing, recipe) : undefined;
    if (more === undefined) throw first.error;
    added.push(...more);
    recipe = withLibraries(recipe, more);
    lock = await planOrRefuse({ recipe, previous: lock, error: first.error }, context);
  }
  if (added.length > 0) await writeRecipe(recipe, lock, added);
  return { recipe, lock, added };
}

interface Shortage extends MissingInImage {
  readonly error: RootcellarError;
}

async function missingByArchitecture(
  { recipe, lock, architectures }: Completion,
  context: PipelineContext,
): Promise<ReadonlyMap<Architecture, Shortage>> {
  const shortages = new Map<Architecture, Shortage>();
  for (const architecture of architectures) {
    if ((await findBuilt({ recipe, lock, architecture }, context)) !== undefined) continue;
    let found: MissingInImage | undefined;
    const onMissing = (told: MissingInImage): void => {
      found = told;
    };
    try {
      await buildImage({ recipe, lock, architecture, output: undefined, onMissing }, context);
    } catch (error) {
      if (!(error instanceof RootcellarError) || error.code !== 'E_LIBRARY_MISSING' || found === undefined) throw error;
      shortages.set(architecture, { ...found, error });
    }
  }
  return shortages;
}

/** Undefined when one of the missing ones cannot be brought, as the image would still be refused then. */
function librariesToAdd(
  shortages: ReadonlyMap<Architecture, Shortage>,
  recipe: Recipe,
): readonly AddedLibrary[] | undefined {
  const wanted = new Map<string, Architecture[]>();
  for (const [architecture, { missing, packages }] of shortages) {
    for (const { library, version } of missing) {
      const known = packages.has(library) && version === undefined && SONAME.test(library);
      if (!known || recipe.sharedObjects?.[architecture]?.includes(library) === true) return undefined;
      wanted.set(library, [...(wanted.get(library) ?? []), architecture]);
    }
  }
  return [...wanted]
    .toSorted(([a], [b]) => byteOrder(a, b))
    .flatMap(([library, architectures]): readonly AddedLibrary[] => {
      if (architectures.length === recipe.architectures.length) return [library];
      return architectures.map((architecture) => ({ [architecture]: library }));
    });
}

function withLibraries(recipe: Recipe, added: readonly AddedLibrary[]): Recipe {
  const both = (architecture: Architecture): readonly string[] => {
    const more = added.flatMap((one) => (typeof one === 'string' ? one : (one[architecture] ?? [])));
    return [...new Set([...(recipe.sharedObjects?.[architecture] ?? []), ...more])].toSorted(byteOrder);
  };
  const lists = { amd64: both('amd64'), arm64: both('arm64') };
  return {
    ...recipe,
    sharedObjects: Object.fromEntries(Object.entries(lists).filter(([, list]) => list.length > 0)),
  };
}

interface Plan {
  readonly recipe: Recipe;
  readonly previous: Lockfile;
  readonly error: RootcellarError;
}

/** A package that turns out not to have the library, or not to go with the others, leaves it missing. */
async function planOrRefuse({ recipe, previous, error }: Plan, context: PipelineContext): Promise<Lockfile> {
  try {
    return await planLockfile({ recipe, previous, upgrade: 'none' }, context);
  } catch (cause) {
    const known = cause instanceof RootcellarError;
    if (known && (cause.code === 'E_LIBRARY_UNKNOWN' || cause.code === 'E_DEB_CONFLICT')) throw error;
    throw cause;
  }
}

async function writeRecipe(recipe: Recipe, lock: Lockfile, added: readonly AddedLibrary[]): Promise<void> {
  const text = await readFile(recipe.file, 'utf8');
  await replaceFile(recipe.file, Buffer.from(withSharedObjects(text, added), 'utf8'));
  await writeLockfile(lockfilePath(recipe), lock);
}
