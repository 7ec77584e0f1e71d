import { lockRecipe } from '../lock-recipe.ts';
import type { PipelineContext } from '../pipeline-context.ts';
import type { Recipe } from '../recipe/recipe.ts';
import type { Upgrade } from '../serve/image-source.ts';
import type { Image } from '../store/image-record.ts';
import { IMAGE_NAME, readCurrent } from '../store/images.ts';
import { architectureOf, isRecipe, namedImage } from './named-image.ts';
import { openRecipe } from './pipeline.ts';

/** What a service serves. */
export interface ImageToServe {
  /** At once; undefined: nothing is there yet. */
  readonly first: Image | undefined;
  /** Whose current generation; undefined: only the first one. */
  readonly name: string | undefined;
  readonly build: ((upgrade: Upgrade) => Promise<Image>) | undefined;
}

/**
 * What `word` means: a recipe's folder or file, whose image is served as it is and built when the service is there; a tar; an
 * image of the store by name, digest or generation. Throws E_IMAGE_NOT_FOUND.
 */
export async function imageToServe(word: string, pipeline: () => PipelineContext): Promise<ImageToServe> {
  if (isRecipe(word) && !/\.tar(\.gz|\.xz|\.zst)?$/.test(word)) {
    return recipeToServe(() => openRecipe(word), { pipeline, isLockedFirst: false });
  }
  const first = await namedImage(word, pipeline());
  const isName = IMAGE_NAME.test(word) && first.name === word;
  return { first, name: isName ? word : undefined, build: undefined };
}

interface RecipeServing {
  readonly pipeline: () => PipelineContext;
  /** Whether already the first build makes the lockfile fit the recipe; else it must. */
  readonly isLockedFirst: boolean;
}

/** `read` is called before each build: the files may have changed. */
export async function recipeToServe(read: () => Promise<Recipe>, serving: RecipeServing): Promise<ImageToServe> {
  const { pipeline } = serving;
  const recipe = await read();
  const first = await readCurrent(pipeline().store, recipe.name, architectureOf(recipe, pipeline()));
  let isLocking = serving.isLockedFirst;
  const build = async (upgrade: Upgrade): Promise<Image> => {
    const newest = await read();
    const context = pipeline();
    if (isLocking) await lockRecipe({ recipe: newest, upgrade }, context);
    isLocking = true;
    const { buildRecipe } = await import('./build-verb.ts');
    return buildRecipe(newest, architectureOf(newest, context), { pipeline: context });
  };
  return { first, name: recipe.name, build };
}
