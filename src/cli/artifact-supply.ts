import { stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { isErrno, RootcellarError } from '../base/rootcellar-error.ts';
import { shellWord } from '../base/shell-word.ts';
import type { PipelineContext } from '../pipeline-context.ts';
import type { Recipe } from '../recipe/recipe.ts';
import { writeError } from '../store/replace-file.ts';
import type { BuildFlags } from './command-line.ts';

/** Where artifacts may come from: the vendor folder that was named or lies beside the recipe, and whether the network may be used. */
export async function artifactSupply(
  recipe: Recipe,
  { vendor, offline }: BuildFlags,
): Promise<Pick<PipelineContext, 'vendor' | 'offline'>> {
  const folder = vendor === undefined ? defaultVendor(recipe) : resolve(vendor);
  if (await isFolder(folder)) return { vendor: folder, offline };
  if (vendor === undefined) return { vendor: undefined, offline };
  throw new RootcellarError('E_USAGE', `--vendor: \`${vendor}\` is no folder`, {
    hint: `rootcellar vendor RECIPE -o ${shellWord(vendor)}`,
  });
}

/** `vendor` beside the recipe. */
export function defaultVendor(recipe: Recipe): string {
  return join(dirname(recipe.file), 'vendor');
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) return false;
    throw writeError(path, error);
  }
}
