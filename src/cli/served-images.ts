import type { Architecture } from '../base/architecture.ts';
import { RootcellarError } from '../base/rootcellar-error.ts';
import { shellWord } from '../base/shell-word.ts';
import { lockedTarget, wasBuilt } from '../built-image.ts';
import { knownLockfile } from '../known-lockfile.ts';
import { lockedRecipe } from '../lock/recipe-inputs.ts';
import { targetKey } from '../lock/target-key.ts';
import type { LockRequest } from '../lock-recipe.ts';
import type { PipelineContext } from '../pipeline-context.ts';
import { recipeWord, type Recipe, type RefreshSchedule } from '../recipe/recipe.ts';
import type { Attempt } from '../refresh/keep-refreshing.ts';
import { lastAttempt } from '../refresh/last-attempt.ts';
import type { RefreshResult } from '../refresh/refresh-result.ts';
import type { Upgrade } from '../serve/image-source.ts';
import type { Upkeep } from '../serve/image-upkeep.ts';
import type { Image } from '../store/image-record.ts';
import { IMAGE_NAME, readCurrent } from '../store/images.ts';
import { architectureOf, isRecipe, namedImage } from './named-image.ts';
import { watchRecipe } from './watched-recipe.ts';

/** What a service serves. */
export interface ImageToServe {
  /** At once; undefined: nothing is there yet. */
  readonly first: Image | undefined;
  /** Whose current generation; undefined: only the first one. */
  readonly name: string | undefined;
  readonly build: ((upgrade: Upgrade) => Promise<Image>) | undefined;
  /** Undefined where there is no `build`. */
  readonly upkeep: Upkeep | undefined;
}

/** How an image is followed that a service serves. */
export interface ServingContext {
  readonly pipeline: () => PipelineContext;
  /** Where a recipe says nothing of it. */
  readonly schedule: RefreshSchedule | undefined;
}

/**
 * What `word` means: a recipe's folder or file, whose image is served as it is and built when the service is there; a tar; an
 * image of the store by name, digest or generation. Throws E_IMAGE_NOT_FOUND.
 */
export async function imageToServe(word: string, { pipeline, schedule }: ServingContext): Promise<ImageToServe> {
  if (isRecipe(word) && !/\.tar(\.gz|\.xz|\.zst)?$/.test(word)) {
    const watched = watchRecipe(word);
    const recipe = await watched.read();
    return recipeToServe({
      name: recipe.name,
      architecture: architectureOf(recipe, pipeline()),
      read: watched.read,
      areEdited: watched.areEdited,
      schedule: () => {
        const refresh = watched.known()?.refresh;
        return refresh === undefined ? schedule : refresh.schedule;
      },
      pipeline,
      isLockedFirst: false,
    });
  }
  const first = await namedImage(word, pipeline());
  const isName = IMAGE_NAME.test(word) && first.name === word;
  return { first, name: isName ? word : undefined, build: undefined, upkeep: undefined };
}

interface RecipeServing {
  /** Of the image. */
  readonly name: string;
  readonly architecture: Architecture;
  /** Called before each build: the files may have changed. */
  readonly read: () => Promise<Recipe>;
  readonly areEdited: () => Promise<boolean>;
  readonly schedule: () => RefreshSchedule | undefined;
  readonly pipeline: () => PipelineContext;
  /** Whether already the first build makes the lockfile fit the recipe; else it must. */
  readonly isLockedFirst: boolean;
}

/** Nothing is read yet: what is wrong with the recipe must not keep an older image from being served. */
export async function recipeToServe(serving: RecipeServing): Promise<ImageToServe> {
  const { name, architecture, read, pipeline, areEdited, schedule } = serving;
  const first = await readCurrent(pipeline().store, name, architecture);
  let isRefreshed = serving.isLockedFirst;
  const build = async (upgrade: Upgrade): Promise<Image> => {
    const request = { recipe: await read(), upgrade };
    const made = isRefreshed ? refreshed : builtFirst;
    isRefreshed = true;
    return made(request, architecture, pipeline());
  };
  const attempt = (): Promise<Attempt | undefined> => lastAttempt(pipeline().store, name, architecture);
  return { first, name, build, upkeep: { name, schedule, areEdited, lastAttempt: attempt } };
}

/** By the lockfile, which must fit. What it describes stays rolled back where it is: that a service starts is no wish to have it back. */
async function builtFirst(
  { recipe }: LockRequest,
  architecture: Architecture,
  context: PipelineContext,
): Promise<Image> {
  const { lock } = await knownLockfile(recipe, context.store);
  const current = await readCurrent(context.store, recipe.name, architecture);
  const isDescribed = lock !== undefined && lock.recipe.digest === lockedRecipe(recipe).digest;
  if (isDescribed && current !== undefined && (await wasBuilt(context.store, lock, architecture))) {
    if (current.inputsKey !== targetKey(lock, architecture, lockedTarget(lock, architecture))) return current;
  }
  return buildRecipe(recipe, architecture, context);
}

/**
 * What is locked already is refreshed, so that what is new is tried out beside what serves; what is current then is served, which
 * may be what somebody has rolled back to. Throws E_REFRESH_KEPT, and what refreshing and building throw.
 */
async function refreshed(request: LockRequest, architecture: Architecture, context: PipelineContext): Promise<Image> {
  const { recipe, upgrade } = request;
  const { lock } = await knownLockfile(recipe, context.store);
  if (lock !== undefined) {
    const { refreshImage } = await import('../refresh/refresh-image.ts');
    const result = await refreshImage({ recipe, upgrade, isCheck: false }, context);
    if (result.kind === 'kept') throw keptBack(recipe, result);
    const current = await readCurrent(context.store, recipe.name, architecture);
    if (current !== undefined) return current;
  }
  return buildRecipe(recipe, architecture, context);
}

async function buildRecipe(recipe: Recipe, architecture: Architecture, pipeline: PipelineContext): Promise<Image> {
  const { buildRecipe: build } = await import('./build-verb.ts');
  return build(recipe, architecture, { pipeline });
}

type Kept = Extract<RefreshResult, { readonly kind: 'kept' }>;

function keptBack(recipe: Recipe, { faults, culprits }: Kept): RootcellarError {
  const [first] = faults;
  const more = faults.length < 2 ? '' : `, and ${faults.length - 1} more`;
  const packages = culprits.map((names) => names.join(' and ')).join('; ');
  const because = packages === '' ? '' : `, because of the update of ${packages}`;
  const message = `image \`${recipe.name}\`: what is new was not taken: ${first?.message ?? ''}${more}${because}`;
  return new RootcellarError('E_REFRESH_KEPT', message, {
    hint: `rootcellar refresh ${shellWord(recipeWord(recipe))}`,
  });
}
