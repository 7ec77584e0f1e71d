import type { Architecture } from '../base/architecture.ts';
import { RootcellarError } from '../base/rootcellar-error.ts';
import type { Recipe } from '../recipe/recipe.ts';
import type { AptRoot } from './apt-root.ts';
import { choosePackages, type DebianRequest } from './debian-resolver.ts';
import type { NamedGit } from './git-sources.ts';
import type { DebArtifact, Interpreter, ResolvedTarget } from './resolution.ts';
import type { SourceSettings } from './sources-in-use.ts';
import { mayUpgrade, type Upgrade } from './resolver-settings.ts';
import type { BuildEnvironment, WheelBuilder } from './wheel-builder.ts';

interface LockedBefore {
  readonly recipe: Recipe;
  readonly architecture: Architecture;
  readonly previous?: { readonly targets: ReadonlyMap<Architecture, ResolvedTarget> } | undefined;
  readonly upgrade: Upgrade;
  /** The image's own. */
  readonly debs: readonly DebArtifact[];
}

export interface BuildPackages extends LockedBefore {
  readonly root: AptRoot;
  readonly debian: DebianRequest;
}

/** What is to be there for builds, besides the image's own packages, in versions that go with those. */
export async function resolveBuildPackages(part: BuildPackages): Promise<readonly DebArtifact[]> {
  const { recipe, root, debian, debs, previous, upgrade, architecture } = part;
  const packages = recipe.python?.buildPackages ?? [];
  if (packages.length === 0) return [];
  const locked = previous?.targets.get(architecture)?.buildDebs ?? [];
  const kept = locked.filter(({ name }) => !mayUpgrade(upgrade, name));
  await root.setPins({
    locked: new Map([...kept, ...debs].map(({ name, version }) => [name, version])),
    peer: new Map(),
  });
  const all = await choosePackages(root, { ...debian, packages: [...debian.packages, ...packages] });
  const own = new Map(debs.map((deb) => [deb.name, deb.digest]));
  const other = all.debs.find(({ name, digest }) => (own.get(name) ?? digest) !== digest);
  if (other === undefined) return all.debs.filter(({ name }) => !own.has(name));
  const message = `\`${other.name}\`: the packages for building need another version than the image`;
  throw new RootcellarError('E_DEB_CONFLICT', message, {
    hint: 'run `rootcellar lock --upgrade`, or remove packages from `python.build_packages`',
  });
}

export interface BuildPart extends LockedBefore {
  readonly builder?: WheelBuilder | undefined;
  readonly interpreter: Interpreter;
  readonly buildDebs: readonly DebArtifact[];
  /** The targets that are done. */
  readonly resolved: ReadonlyMap<Architecture, ResolvedTarget>;
}

/** The recipe's reader has seen to it that they have names. */
export function gitRequirements(recipe: Recipe): readonly NamedGit[] {
  return (recipe.python?.direct ?? []).flatMap((direct) => {
    return direct.kind === 'git' && direct.name !== undefined ? [{ ...direct, name: direct.name }] : [];
  });
}

/** Undefined where nothing is to be built. Throws E_WHEEL_BUILD where there is no machine to build it on. */
export function sourceSettings(part: BuildPart): SourceSettings | undefined {
  const { recipe, builder, previous, architecture, upgrade } = part;
  const allowed = recipe.python?.buildFromSource ?? [];
  if (allowed.length === 0) return undefined;
  if (recipe.base.kind !== 'debian' || builder === undefined) {
    throw new RootcellarError('E_WHEEL_BUILD', `${recipe.file}: wheels are built on a base of Debian only`, {
      hint: 'write `base.debian`, or take `build_from_source` out of the recipe',
    });
  }
  const commits = gitRequirements(recipe);
  const names = allowed.filter((name) => !commits.some((commit) => commit.name === name));
  const locked = previous?.targets.get(architecture)?.wheels ?? [];
  const kept = locked.filter(({ name }) => !mayUpgrade(upgrade, name));
  const environment = buildEnvironment(part, builder.architecture);
  return {
    names: new Set(names),
    commits,
    builder,
    environment,
    previous: new Map(kept.map((one) => [one.name, one])),
  };
}

/** Wheels are built for this machine, so the recipe must be for it too. */
function buildEnvironment(
  { recipe, architecture, interpreter, debs, buildDebs, resolved }: BuildPart,
  own: Architecture,
): BuildEnvironment {
  const target = architecture === own ? { interpreter, debs, buildDebs } : resolved.get(own);
  if (target?.interpreter !== undefined) {
    const all = [...target.debs, ...(target.buildDebs ?? [])];
    return { architecture: own, interpreter: target.interpreter, debs: all };
  }
  const message = `${recipe.file}: wheels can be built for ${own} only, which this machine is`;
  throw new RootcellarError('E_WHEEL_BUILD', message, {
    hint: `add \`${own}\` to \`architectures\`: what is pure Python then serves ${architecture} too`,
  });
}
