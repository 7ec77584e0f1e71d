import type { Architecture } from './base/architecture.ts';
import { shortDigest, type Digest } from './base/digest.ts';
import { RootcellarError, type Problem } from './base/rootcellar-error.ts';
import { lockedArtifacts } from './lock/locked-artifacts.ts';
import type { LockedTarget, Lockfile } from './lock/lockfile.ts';
import { targetKey } from './lock/target-key.ts';
import type { PipelineContext } from './pipeline-context.ts';
import { recipeWord, type Recipe } from './recipe/recipe.ts';
import { storedSize, verifyArtifact } from './store/artifacts.ts';
import { artifactTitle } from './store/download-failure.ts';
import type { Image } from './store/image-record.ts';
import { findByInputs, listGenerations } from './store/images.ts';
import type { Store } from './store/store.ts';

export interface BuiltRequest {
  readonly recipe: Recipe;
  readonly lock: Lockfile;
  readonly architecture: Architecture;
}

/**
 * The image that `lock` describes, when the store has it already. Throws E_NOT_REPRODUCED when it is not as promised, and
 * E_HOST_CHANGED when files of this machine are not those that are locked, whether there is an image or not.
 */
export async function findBuilt(request: BuiltRequest, context: PipelineContext): Promise<Image | undefined> {
  const { recipe, lock, architecture } = request;
  const target = lockedTarget(lock, architecture);
  if (target.host !== undefined) {
    const { checkHostFiles } = await import('./check-host-files.ts');
    await checkHostFiles({ target, architecture, recipe: recipeWord(recipe) }, context);
  }
  const image = await findByInputs(context.store, targetKey(lock, architecture, target));
  if (image === undefined) return undefined;
  await checkSizes(context.store, target);
  checkPromise(image.diffId, target.diffId);
  return image;
}

/** Whether a generation of its name was built from what `lock` has for `architecture`, current or not. */
export async function wasBuilt(store: Store, lock: Lockfile, architecture: Architecture): Promise<boolean> {
  const key = targetKey(lock, architecture, lockedTarget(lock, architecture));
  return (await listGenerations(store, lock.recipe.name, architecture)).some(({ inputsKey }) => inputsKey === key);
}

/**
 * Throws E_DIGEST_MISMATCH when the lockfile says another size of an artifact than the file with its digest has. No image
 * depends on the size, but such a lockfile can be built nowhere else. A file that is damaged in the store is no proof.
 */
export async function checkSizes(store: Store, target: LockedTarget): Promise<void> {
  const problems: Problem[] = [];
  for (const artifact of lockedArtifacts(target)) {
    const size = storedSize(store, artifact.digest);
    if (size === undefined || size === artifact.size || !(await isSound(store, artifact.digest))) continue;
    const message = `${artifactTitle(artifact)}: the lockfile says ${artifact.size} bytes, with its digest it has ${size}`;
    const hint = `restore the lockfile from version control, or rootcellar lock --upgrade-package ${artifact.name}`;
    problems.push({ code: 'E_DIGEST_MISMATCH', message, hint });
  }
  if (problems.length > 0) throw RootcellarError.ofProblems(problems);
}

async function isSound(store: Store, digest: Digest): Promise<boolean> {
  try {
    await verifyArtifact(store, digest);
    return true;
  } catch (error) {
    if (error instanceof RootcellarError) return false;
    throw error;
  }
}

/** The part of a lockfile that is for `architecture`. Throws E_LOCK_DRIFT when there is none. */
export function lockedTarget(lock: Lockfile, architecture: Architecture): LockedTarget {
  const target = lock.targets.get(architecture);
  if (target !== undefined) return target;
  throw new RootcellarError(
    'E_LOCK_DRIFT',
    `the lockfile of \`${lock.recipe.name}\`: has nothing for ${architecture}`,
    { hint: `run \`rootcellar lock RECIPE --arch ${architecture}\`, with ${architecture} among its \`architectures\`` },
  );
}

/** Throws E_NOT_REPRODUCED when `diffId` is not what the lockfile promises, if it promises anything yet. */
export function checkPromise(diffId: Digest, promise: Digest | undefined): void {
  if (promise === undefined || promise === diffId) return;
  const message = `the lockfile promises ${shortDigest(promise)}, the build gave ${shortDigest(diffId)}`;
  throw new RootcellarError('E_NOT_REPRODUCED', message, {
    hint: 'if the new bytes are wanted, remove the line `diff_id` from the lockfile and build again',
  });
}

/** A first build finds out what the lockfile then promises. */
export function withIdentities(lock: Lockfile, images: readonly Image[]): Lockfile {
  const targets = new Map(lock.targets);
  for (const { architecture, diffId } of images) {
    const target = targets.get(architecture);
    if (target !== undefined) targets.set(architecture, { ...target, diffId });
  }
  return { ...lock, targets };
}
