import type { PipelineContext } from '../pipeline-context.ts';
import type { Recipe } from '../recipe/recipe.ts';
import { Store } from '../store/store.ts';
import { storeHome } from '../store/store-home.ts';
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

/** The recipe at `path`, a file or the folder of a `recipe.yaml`. */
export async function openRecipe(path: string): Promise<Recipe> {
  const { readRecipe } = await import('../recipe/recipe-files.ts');
  const { policyVocabulary } = await import('../run/policy.ts');
  return readRecipe(path, policyVocabulary());
}
