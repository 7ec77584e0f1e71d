import { join } from 'node:path';
import { canonicalJson } from './base/canonical-json.ts';
import { closestWord } from './base/closest-word.ts';
import { RootcellarError } from './base/rootcellar-error.ts';
import { lockfilePath, readLockfile, writeLockfile } from './lock/lockfile-files.ts';
import type { Lockfile } from './lock/lockfile.ts';
import { formatLockfile } from './lock/lockfile-text.ts';
import { pinResolution } from './lock/pin.ts';
import { lockedRecipe, resolutionInputs } from './lock/recipe-inputs.ts';
import type { PipelineContext } from './pipeline-context.ts';
import type { Recipe } from './recipe/recipe.ts';
import type { Resolution } from './resolve/resolution.ts';
import type { ResolverSettings, Upgrade } from './resolve/resolver-settings.ts';

export interface LockRequest {
  readonly recipe: Recipe;
  /** Which packages may leave their locked version. */
  readonly upgrade: Upgrade;
}

export interface LockResult {
  readonly lock: Lockfile;
  /** Whether the file was written, or had these bytes already. */
  readonly isChanged: boolean;
}

/**
 * Recipe → lockfile. Resolves only when it must: a recipe whose packages and requirements are still those of its lockfile
 * keeps every artifact, and needs no network.
 */
export async function lockRecipe({ recipe, upgrade }: LockRequest, context: PipelineContext): Promise<LockResult> {
  const path = lockfilePath(recipe);
  const previous = await readLockfile(path);
  checkNames(upgrade, previous);
  const resolution = await resolveAgain({ recipe, upgrade, previous }, context);
  const lock = pinResolution({ recipe, resolution, previous });
  const isChanged = previous === undefined || formatLockfile(previous) !== formatLockfile(lock);
  if (isChanged) await writeLockfile(path, lock);
  return { lock, isChanged };
}

/** Throws E_USAGE for a package to upgrade that is not locked: most likely it is misspelt. */
function checkNames(upgrade: Upgrade, previous: Lockfile | undefined): void {
  if (typeof upgrade === 'string' || previous === undefined) return;
  const known = [...previous.targets.values()].flatMap(({ debs, wheels }) =>
    [...debs, ...wheels].map(({ name }) => name),
  );
  const unknown = upgrade.find((name) => !known.includes(name));
  if (unknown === undefined) return;
  const near = closestWord(unknown, known);
  throw new RootcellarError('E_USAGE', `--upgrade-package: \`${unknown}\` is not in the lockfile`, {
    hint: near === undefined ? 'rootcellar show IMAGE lists its packages' : `did you mean \`${near}\`?`,
  });
}

async function resolveAgain(
  { recipe, upgrade, previous }: LockRequest & { readonly previous: Lockfile | undefined },
  context: PipelineContext,
): Promise<Resolution> {
  if (previous !== undefined && upgrade === 'none' && isResolved(previous, recipe)) return previous;
  const { resolveRecipe } = await import('./resolve/resolve-recipe.ts');
  return resolveRecipe({ recipe, previous, upgrade, settings: resolverSettings(context) });
}

function isResolved(lock: Lockfile, recipe: Recipe): boolean {
  const wanted = resolutionInputs(lockedRecipe(recipe).inputs);
  return canonicalJson(resolutionInputs(lock.recipe.inputs)) === canonicalJson(wanted);
}

/** Caches and temporary folders of resolvers live in the store. */
export function resolverSettings({ store, environment, now, signal, progress }: PipelineContext): ResolverSettings {
  return {
    environment,
    cacheFolder: join(store.home, 'cache'),
    temporaryFolder: store.path('tmp'),
    now,
    signal,
    progress,
  };
}
