import { basename, dirname, join, resolve } from 'node:path';
import type { Recipe } from '../recipe/recipe.ts';
import { watchFiles } from '../refresh/watched-files.ts';
import { openRecipe } from './pipeline.ts';

/** A recipe that may be edited at any time. */
export interface WatchedRecipe {
  /** As it was read last; what it was while it is broken. */
  readonly known: () => Recipe | undefined;
  /** Throws what is wrong with it. */
  readonly read: () => Promise<Recipe>;
  /** Whether the recipe or a file that it names has changed and come to rest; told once. */
  readonly areEdited: () => Promise<boolean>;
}

/** `path` is a recipe file or the folder of a `recipe.yaml`. */
export function watchRecipe(path: string): WatchedRecipe {
  const files = watchFiles();
  const own = [resolve(path), join(resolve(path), 'recipe.yaml')];
  let known: Recipe | undefined;
  return {
    known: () => known,
    read: async () => {
      // Before it is read: what changes meanwhile is an edit.
      await files.follow([...own, ...(known === undefined ? [] : sourcePlaces(path, known))]);
      const recipe = await openRecipe(path);
      known = recipe;
      await files.follow([...own, ...sourcePlaces(path, recipe)]);
      return recipe;
    },
    areEdited: files.areEdited,
  };
}

/** Below the folder that was named, and below the one that it is: a link to it can be turned. */
function sourcePlaces(path: string, { file, sources }: Recipe): readonly string[] {
  const named = basename(path) === basename(file) ? dirname(resolve(path)) : resolve(path);
  return [named, dirname(file)].flatMap((folder) => sources.map((source) => join(folder, source.path)));
}
