import { realpath, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { RootcellarError } from '../base/rootcellar-error.ts';
import { resultOfError } from './bounded-file.ts';
import { quotedWord } from './quoted-value.ts';

const RECIPE_NAME = 'recipe.yaml';

/** Where a recipe is. */
export interface RecipeLocation {
  /** Absolute, without symbolic links. */
  readonly file: string;
  /** As the user wrote it, for error texts. */
  readonly shown: string;
}

/** `path` is a recipe file or the folder of a `recipe.yaml`; links are followed. Throws E_RECIPE_NOT_FOUND. */
export async function locateRecipe(path: string): Promise<RecipeLocation> {
  try {
    const shown = (await stat(path)).isDirectory() ? join(path, RECIPE_NAME) : path;
    return { file: await realpath(resolve(shown)), shown };
  } catch (error) {
    const result = resultOfError(error);
    throw recipeNotFound(path, result.kind === 'refused' ? result.fault : 'does not exist');
  }
}

export function recipeNotFound(path: string, fault: string): RootcellarError {
  const hint = `name a recipe file, or a folder that has a \`${RECIPE_NAME}\``;
  return new RootcellarError('E_RECIPE_NOT_FOUND', `the recipe ${quotedWord(path)} ${fault}`, { hint });
}
