import type { Architecture } from '../base/architecture.ts';
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
    const recipe = await openRecipe(word);
    const architecture = architectureOf(recipe, pipeline());
    const read = (): Promise<Recipe> => openRecipe(word);
    return recipeToServe({ name: recipe.name, architecture, read, pipeline, isLockedFirst: false });
  }
  const first = await namedImage(word, pipeline());
  const isName = IMAGE_NAME.test(word) && first.name === word;
  return { first, name: isName ? word : undefined, build: undefined };
}

interface RecipeServing {
  /** Of the image. */
  readonly name: string;
  readonly architecture: Architecture;
  /** Called before each build: the files may have changed. */
  readonly read: () => Promise<Recipe>;
  readonly pipeline: () => PipelineContext;
  /** Whether already the first build makes the lockfile fit the recipe; else it must. */
  readonly isLockedFirst: boolean;
}

/** Nothing is read yet: what is wrong with the recipe must not keep an older image from being served. */
export async function recipeToServe(serving: RecipeServing): Promise<ImageToServe> {
  const { name, architecture, read, pipeline } = serving;
  const first = await readCurrent(pipeline().store, name, architecture);
  let isLocking = serving.isLockedFirst;
  const build = async (upgrade: Upgrade): Promise<Image> => {
    const newest = await read();
    const context = pipeline();
    if (isLocking) await lockRecipe({ recipe: newest, upgrade }, context);
    isLocking = true;
    const { buildRecipe } = await import('./build-verb.ts');
    return buildRecipe(newest, architecture, { pipeline: context });
  };
  return { first, name, build };
}
