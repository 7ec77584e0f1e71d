import type { PipelineContext } from '../pipeline-context.ts';
import { readOnce } from '../readings.ts';
import { locateRecipe } from '../recipe/recipe-location.ts';
import type { Recipe } from '../recipe/recipe.ts';
import { Store } from '../store/store.ts';
import { withStoreUse } from '../store/store-use.ts';
import { storeHome, type StoreOwner } from '../store/store-home.ts';
import type { CommandContext } from './command-context.ts';

/** Does `action` with this user's store open, and closes it whatever happens. */
export async function withPipeline<T>(
  context: CommandContext,
  action: (pipeline: PipelineContext) => Promise<T>,
): Promise<T> {
  const { environment, uid, hostArchitecture, signal, reporter } = context;
  const store = await Store.open({ home: storeHome({ environment, uid }) });
  const now = Math.floor(Date.now() / 1000);
  try {
    return await action({ store, environment, hostArchitecture, signal, progress: reporter.progress, now });
  } finally {
    await store.close();
  }
}

/** The same for what reads images, of which nothing is pruned meanwhile. */
export async function withImages<T>(
  context: CommandContext,
  action: (pipeline: PipelineContext) => Promise<T>,
): Promise<T> {
  return withPipeline(context, (pipeline) => withStoreUse(pipeline.store, () => action(pipeline), pipeline));
}

/** Like `openRecipe`, but read only if it has changed since the last time. */
export async function knownRecipe(path: string, { environment, uid }: StoreOwner): Promise<Recipe> {
  const { file } = await locateRecipe(path);
  return readOnce({ kind: 'recipe', file, home: storeHome({ environment, uid }) }, () => openRecipe(path));
}

/** The recipe at `path`, a file or the folder of a `recipe.yaml`. */
export async function openRecipe(path: string): Promise<Recipe> {
  const { readRecipe } = await import('../recipe/recipe-files.ts');
  const { policyVocabulary } = await import('../run/policy.ts');
  return readRecipe(path, policyVocabulary());
}
