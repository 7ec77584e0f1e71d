import { join } from 'node:path';
import type { Architecture } from './base/architecture.ts';
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
import { lacksCompiler } from './resolve/compiler-choice.ts';
import type { Resolution } from './resolve/resolution.ts';
import type { ResolverSettings, Upgrade } from './resolve/resolver-settings.ts';
import type { WheelBuilder } from './resolve/wheel-builder.ts';
import { artifactPath, storedSize } from './store/artifacts.ts';
import { withStoreUse } from './store/store-use.ts';

export interface LockRequest {
  readonly recipe: Recipe;
  /** Those to lock; the others of the recipe stay as they are. Left out: all of the recipe. */
  readonly architectures?: readonly Architecture[] | undefined;
  /** Which packages may leave their locked version. */
  readonly upgrade: Upgrade;
}

export interface LockResult {
  readonly lock: Lockfile;
  /** Whether the file was written, or had these bytes already. */
  readonly isChanged: boolean;
}

/**
 * Recipe → lockfile. Resolves only what it must: a recipe whose packages and requirements are still those of its lockfile
 * keeps every artifact, and needs no network. Files of a host are looked at each time. Throws E_LOCK_DRIFT when an architecture that is not to be locked cannot
 * stay as it is, because the recipe has changed.
 */
export async function lockRecipe(request: LockRequest, context: PipelineContext): Promise<LockResult> {
  const { recipe } = request;
  const path = lockfilePath(recipe);
  const previous = await readLockfile(path);
  const lock = await planLockfile({ ...request, previous }, context);
  const isChanged = previous === undefined || formatLockfile(previous) !== formatLockfile(lock);
  if (isChanged) await writeLockfile(path, lock);
  return { lock, isChanged };
}

/** The lockfile that `recipe` would get after `previous`; nothing is written. Throws E_USAGE for a package to upgrade that is not locked. */
export async function planLockfile(
  request: LockRequest & { readonly previous: Lockfile | undefined },
  context: PipelineContext,
): Promise<Lockfile> {
  const { recipe, previous, upgrade } = request;
  checkNames(upgrade, previous);
  return pinResolution({ recipe, resolution: await resolveAgain(request, context), previous });
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

interface Relock extends LockRequest {
  readonly previous: Lockfile | undefined;
}

async function resolveAgain(request: Relock, context: PipelineContext): Promise<Resolution> {
  const { recipe, upgrade, previous, architectures = recipe.architectures } = request;
  const isCurrent = previous !== undefined && isResolved(previous, recipe);
  if (previous !== undefined && !isCurrent) refuseMixture(recipe, architectures, previous);
  const stays = (architecture: Architecture): boolean =>
    isCurrent && upgrade === 'none' && recipe.base.kind !== 'host' && previous.targets.has(architecture);
  const missing = architectures.filter((architecture) => !stays(architecture));
  if (previous !== undefined && missing.length === 0) {
    const kept = withoutDropped(previous, recipe);
    const isLacking = [...kept.targets.keys()].some((name) =>
      lacksCompiler(kept.targets, name, context.hostArchitecture),
    );
    if (!isLacking) return kept;
  }
  // What is downloaded, and wheels that are built, have no name in the store before there is an image.
  return withStoreUse(context.store, () => resolveMissing({ ...request, isCurrent, missing }, context), context);
}

interface Resolving extends Relock {
  /** Whether what `previous` has was resolved for this recipe. */
  readonly isCurrent: boolean;
  readonly missing: readonly Architecture[];
}

async function resolveMissing(request: Resolving, context: PipelineContext): Promise<Resolution> {
  const { recipe, upgrade, previous, isCurrent, missing } = request;
  const { resolveRecipe } = await import('./resolve/resolve-recipe.ts');
  const settings = await resolverSettings(context);
  const resolving = { recipe, previous, isCurrent, architectures: missing, upgrade, settings };
  if (recipe.base.kind !== 'host') return resolveRecipe({ ...resolving, builder: await builderFor(recipe, context) });
  const { lockingMachine } = await import('./check-host-files.ts');
  const machine = await lockingMachine(context);
  const resolution = await resolveRecipe({ ...resolving, host: machine.host });
  await machine.remember();
  return resolution;
}

/** Undefined where nothing is to be built from source. */
async function builderFor(recipe: Recipe, context: PipelineContext): Promise<WheelBuilder | undefined> {
  if ((recipe.python?.buildFromSource ?? []).length === 0) return undefined;
  return (await import('./wheel-factory.ts')).wheelBuilder(recipe, context);
}

/** One lockfile has one recipe: an architecture that was locked for an earlier text of it cannot stay beside a new one. */
function refuseMixture(recipe: Recipe, architectures: readonly Architecture[], { targets }: Lockfile): void {
  const staying = recipe.architectures.find((one) => targets.has(one) && !architectures.includes(one));
  if (staying === undefined) return;
  const message = `--arch: the recipe has changed since ${staying} was locked, so that it cannot stay as it is`;
  throw new RootcellarError('E_LOCK_DRIFT', message, { hint: 'leave out --arch to lock all architectures' });
}

/** Without the architectures that the recipe is not for any more. */
function withoutDropped(lock: Lockfile, { architectures }: Recipe): Lockfile {
  const targets = [...lock.targets].filter(([architecture]) => architectures.includes(architecture));
  return targets.length === lock.targets.size ? lock : { ...lock, targets: new Map(targets), differences: undefined };
}

function isResolved(lock: Lockfile, recipe: Recipe): boolean {
  const wanted = resolutionInputs(lockedRecipe(recipe).inputs);
  return canonicalJson(resolutionInputs(lock.recipe.inputs)) === canonicalJson(wanted);
}

/** Caches of resolvers live in the store, and what they half-make in a folder that goes with this process. */
export async function resolverSettings(context: PipelineContext): Promise<ResolverSettings> {
  const { store, environment, hostArchitecture, now, signal, progress } = context;
  return {
    environment,
    hostArchitecture,
    cacheFolder: join(store.home, 'cache'),
    temporaryFolder: await store.temporaryPath(),
    storedFile: (digest) => (storedSize(store, digest) === undefined ? undefined : artifactPath(store, digest)),
    now,
    signal,
    progress,
  };
}
