import { ARCHITECTURES } from '../base/architecture.ts';
import type { Architecture } from '../base/architecture.ts';
import { canonicalJson } from '../base/canonical-json.ts';
import type { Json } from '../base/canonical-json.ts';
import type { Digest } from '../base/digest.ts';
import type { Recipe } from '../recipe/recipe.ts';
import type { Epoch, Resolution, ResolvedTarget } from '../resolve/resolution.ts';
import { FORMAT_VERSION, targetEpoch } from './lockfile.ts';
import type { LockedRecipe, LockedTarget, Lockfile } from './lockfile.ts';
import { hostFileJson } from './lockfile-text.ts';
import { architectureDigest, lockedRecipe } from './recipe-inputs.ts';

export interface Pinning {
  readonly recipe: Recipe;
  readonly resolution: Resolution;
  /** The lockfile that is there already. */
  readonly previous?: Lockfile | undefined;
}

/**
 * The lockfile of a resolution. Where nothing that gets into an architecture's image has changed since `previous`, its epoch
 * stays, so that a mere new date of an index makes no new image; and with the recipe unchanged too, so does the image's
 * identity. What changes for one architecture changes no other one's image.
 */
export function pinResolution({ recipe, resolution, previous }: Pinning): Lockfile {
  const locked = lockedRecipe(recipe);
  const pinned = ARCHITECTURES.flatMap((architecture): readonly PinnedTarget[] => {
    const target = resolution.targets.get(architecture);
    if (target === undefined) return [];
    const before = previous?.targets.get(architecture);
    const isSame = before !== undefined && artifactsText(before) === artifactsText(target);
    const kept = isSame && previous !== undefined ? { lock: previous, target: before } : undefined;
    const epoch = kept === undefined ? (target.epoch ?? resolution.epoch) : targetEpoch(kept.lock, kept.target);
    return [{ architecture, target, epoch, kept }];
  });
  const epoch = newestOf(pinned.map((one) => one.epoch)) ?? resolution.epoch;
  const targets = pinned.map((one) => [one.architecture, lockedTarget(one, epoch, locked)] as const);
  const { resolvers, cutOff, differences } = resolution;
  const lock = { format: FORMAT_VERSION, recipe: locked, epoch, resolvers, targets: new Map(targets) };
  return withDifferences(cutOff === undefined ? lock : { ...lock, cutOff }, differences);
}

interface PinnedTarget {
  readonly architecture: Architecture;
  readonly target: ResolvedTarget;
  readonly epoch: Epoch;
  /** What was locked before, when it has the same artifacts. */
  readonly kept: { readonly lock: Lockfile; readonly target: LockedTarget } | undefined;
}

function newestOf(epochs: readonly Epoch[]): Epoch | undefined {
  return epochs.toSorted((a, b) => b.seconds - a.seconds)[0];
}

function lockedTarget(pinned: PinnedTarget, whole: Epoch, recipe: LockedRecipe): LockedTarget {
  const { epoch: _, ...target } = pinned.target;
  const own = pinned.epoch.seconds === whole.seconds ? {} : { epoch: pinned.epoch };
  return { ...target, ...own, diffId: keptDiffId(pinned, recipe) };
}

function keptDiffId({ architecture, kept }: PinnedTarget, recipe: LockedRecipe): Digest | undefined {
  if (kept?.lock.format !== FORMAT_VERSION) return undefined;
  const isSame = architectureDigest(kept.lock.recipe, architecture) === architectureDigest(recipe, architecture);
  return isSame ? kept.target.diffId : undefined;
}

function withDifferences(lock: Lockfile, differences: readonly string[] | undefined): Lockfile {
  return differences === undefined || differences.length === 0 ? lock : { ...lock, differences };
}

/** What gets into the image, without where and when it was found. */
function artifactsText(target: ResolvedTarget): string {
  const interpreter: Json = target.interpreter === undefined ? null : { ...target.interpreter };
  const debs = target.debs.map(({ name, version, architecture, digest }) => ({ name, version, architecture, digest }));
  const wheels = target.wheels.map(({ name, version, file, digest }) => ({ name, version, file, digest }));
  return canonicalJson({ interpreter, debs, wheels, host: target.host?.files.map(hostFileJson) });
}
