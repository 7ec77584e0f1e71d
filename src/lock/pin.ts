import { ARCHITECTURES } from '../base/architecture.ts';
import type { Architecture } from '../base/architecture.ts';
import { canonicalJson } from '../base/canonical-json.ts';
import type { Json } from '../base/canonical-json.ts';
import type { Digest } from '../base/digest.ts';
import type { Recipe } from '../recipe/recipe.ts';
import type { Epoch, Resolution, ResolvedTarget } from '../resolve/resolution.ts';
import { FORMAT_VERSION } from './lockfile.ts';
import type { LockedRecipe, LockedTarget, Lockfile } from './lockfile.ts';
import { lockedRecipe } from './recipe-inputs.ts';

export interface Pinning {
  readonly recipe: Recipe;
  readonly resolution: Resolution;
  /** The lockfile that is there already. */
  readonly previous?: Lockfile | undefined;
}

/**
 * The lockfile of a resolution. Where nothing that gets into the image has changed since `previous`, its epoch stays, so that
 * a mere new date of an index makes no new image; and with the recipe unchanged too, so does the image's identity.
 */
export function pinResolution({ recipe, resolution, previous }: Pinning): Lockfile {
  const locked = lockedRecipe(recipe);
  const kept = previous !== undefined && sameArtifacts(previous, resolution) ? previous : undefined;
  const epoch = kept?.epoch ?? resolution.epoch;
  const targets = ARCHITECTURES.flatMap((architecture): [Architecture, LockedTarget][] => {
    const target = resolution.targets.get(architecture);
    if (target === undefined) return [];
    const diffId = keptDiffId(previous, { architecture, target, epoch, recipe: locked });
    return [[architecture, { ...target, diffId }]];
  });
  return { format: FORMAT_VERSION, recipe: locked, epoch, resolvers: resolution.resolvers, targets: new Map(targets) };
}

function sameArtifacts(previous: Lockfile, resolution: Resolution): boolean {
  return ARCHITECTURES.every((architecture) => {
    const before = previous.targets.get(architecture);
    const now = resolution.targets.get(architecture);
    return before === undefined || now === undefined ? before === now : artifactsText(before) === artifactsText(now);
  });
}

interface PinnedTarget {
  readonly architecture: Architecture;
  readonly target: ResolvedTarget;
  readonly epoch: Epoch;
  readonly recipe: LockedRecipe;
}

function keptDiffId(previous: Lockfile | undefined, pinned: PinnedTarget): Digest | undefined {
  const before = previous?.targets.get(pinned.architecture);
  if (previous === undefined || before === undefined) return undefined;
  const same =
    previous.format === FORMAT_VERSION &&
    previous.recipe.digest === pinned.recipe.digest &&
    previous.epoch.seconds === pinned.epoch.seconds &&
    artifactsText(before) === artifactsText(pinned.target);
  return same ? before.diffId : undefined;
}

/** What gets into the image, without where and when it was found. */
function artifactsText(target: ResolvedTarget): string {
  const interpreter: Json = target.interpreter === undefined ? null : { ...target.interpreter };
  const debs = target.debs.map(({ name, version, architecture, digest }) => ({ name, version, architecture, digest }));
  const wheels = target.wheels.map(({ name, version, file, digest }) => ({ name, version, file, digest }));
  return canonicalJson({ interpreter, debs, wheels });
}
