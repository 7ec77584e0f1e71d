import type { Architecture } from '../base/architecture.ts';
import type { Recipe } from '../recipe/recipe.ts';
import type { AptRoot } from './apt-root.ts';
import { choosePackages, resolveDebian, type DebianRequest, type DebianResolution } from './debian-resolver.ts';
import type { SharedObject } from './resolution.ts';
import type { ResolverSettings } from './resolver-settings.ts';
import { debianSharedObjects } from './shared-objects.ts';

export interface SystemRequest {
  readonly recipe: Recipe;
  readonly architecture: Architecture;
  readonly debian: DebianRequest;
  readonly root: AptRoot;
  readonly settings: ResolverSettings;
}

export interface SystemResolution extends DebianResolution {
  /** Left out where the recipe wants none. */
  readonly sharedObjects?: readonly SharedObject[];
}

/** The Debian packages of a recipe, with those that bring the shared objects that it wants. Errors as of both. */
export async function resolveSystem(request: SystemRequest): Promise<SystemResolution> {
  const { recipe, architecture, root, debian, settings } = request;
  const resolution = await resolveDebian(root, debian);
  const sonames = recipe.sharedObjects?.[architecture] ?? [];
  if (sonames.length === 0) return resolution;
  const { debs } = resolution;
  const wanted = { sonames, suite: debian.suite, architecture, debs, root, settings };
  const sharedObjects = await debianSharedObjects(wanted);
  const more = new Set(sharedObjects.map(({ from }) => from).filter((name) => !debs.some((deb) => deb.name === name)));
  if (more.size === 0) return { ...resolution, sharedObjects };
  const packages = [...debian.packages, ...more];
  return { ...(await choosePackages(root, { ...debian, packages })), sharedObjects };
}
