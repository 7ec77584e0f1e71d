import type { Architecture } from './base/architecture.ts';
import { shortDigest } from './base/digest.ts';
import { RootcellarError } from './base/rootcellar-error.ts';
import { takeAll } from './fetch-artifacts.ts';
import type { LockedTarget, Lockfile } from './lock/lockfile.ts';
import { resolverSettings } from './lock-recipe.ts';
import type { PipelineContext } from './pipeline-context.ts';
import { missingArtifacts } from './prepare-artifacts.ts';
import { recipeWord, type Recipe } from './recipe/recipe.ts';
import type { BuiltFrom, GitArtifact, WheelArtifact } from './resolve/resolution.ts';
import type { BuildEnvironment, WheelBuilder } from './resolve/wheel-builder.ts';
import { hasArtifact } from './store/artifacts.ts';

export interface BuiltWheelsRequest {
  readonly recipe: Recipe;
  readonly lock: Lockfile;
  readonly architecture: Architecture;
  readonly target: LockedTarget;
}

/**
 * Builds again what the lockfile says was built and this store does not have: gets the source by its digest, and the locked
 * requirements. Throws E_NOT_REPRODUCED when that gives other bytes than are locked, E_WHEEL_BUILD, E_SANDBOX, and what
 * downloads throw.
 */
export async function provideBuiltWheels(request: BuiltWheelsRequest, context: PipelineContext): Promise<void> {
  const { recipe, architecture, target, lock } = request;
  const built = target.wheels.filter(({ builtFrom }) => builtFrom !== undefined);
  if (built.length === 0) return;
  const missing = await missingArtifacts({ recipe, architecture, target, format: lock.format }, context.store);
  const absent = built.filter((wheel) => missing.some(({ digest }) => digest === wheel.digest));
  const vendored = await takeAll(absent, context);
  const wanted = absent.filter((wheel) => vendored.get(wheel)?.kind !== 'sound');
  if (wanted.length === 0) return;
  const { wheelBuilder } = await import('./wheel-factory.ts');
  const builder = wheelBuilder(recipe, context);
  const environment = buildEnvironment(request, builder);
  // One after another: each may take all processors and much memory.
  for (const wheel of wanted) await buildAgain(wheel, { recipe, builder, environment }, context);
}

function buildEnvironment({ lock, recipe }: BuiltWheelsRequest, builder: WheelBuilder): BuildEnvironment {
  const { architecture } = builder;
  const own = lock.targets.get(architecture);
  if (own?.interpreter !== undefined) {
    return { architecture, interpreter: own.interpreter, debs: [...own.debs, ...(own.buildDebs ?? [])] };
  }
  throw new RootcellarError(
    'E_WHEEL_BUILD',
    `the lockfile of \`${recipe.name}\`: has wheels to be built, and nothing for ${architecture}, on which that would be`,
    { hint: `add \`${architecture}\` to \`architectures\`, or build on another machine` },
  );
}

interface Rebuild {
  readonly recipe: Recipe;
  readonly builder: WheelBuilder;
  readonly environment: BuildEnvironment;
}

async function buildAgain(wheel: WheelArtifact, rebuild: Rebuild, context: PipelineContext): Promise<void> {
  const { builder, environment } = rebuild;
  const { source, requirements } = required(wheel.builtFrom);
  if (!(await hasArtifact(context.store, source.digest, source.size))) {
    if (context.offline === true) throw offlineError(wheel, rebuild);
    if (source.kind === 'sdist') await builder.fetch(source);
    else await fetchLockedCommit(source, rebuild, context);
  }
  const outcome = await builder.build({ source, requirements, known: 'all', environment });
  if (outcome.kind === 'wheel' && outcome.wheel.digest === wheel.digest) return;
  const got = outcome.kind === 'wheel' ? `gave ${shortDigest(outcome.wheel.digest)}` : 'wants other requirements';
  throw new RootcellarError(
    'E_NOT_REPRODUCED',
    `wheel of \`${wheel.name}\`: the lockfile promises ${shortDigest(wheel.digest)}, building it again ${got}`,
    {
      hint: `copy the wheel from the store that it was built in, or run \`rootcellar lock --upgrade-package ${wheel.name}\``,
    },
  );
}

function offlineError({ name, version }: WheelArtifact, { recipe }: Rebuild): RootcellarError {
  const message = `wheel of \`${name}\` ${version}: neither it nor its source is in the store or the vendor folder`;
  return new RootcellarError('E_OFFLINE', message, {
    hint: `rootcellar vendor ${recipeWord(recipe)}, where there is a network`,
  });
}

async function fetchLockedCommit(
  source: GitArtifact,
  { recipe, builder }: Rebuild,
  context: PipelineContext,
): Promise<void> {
  const { gitRequirements } = await import('./resolve/build-settings.ts');
  const { fetchCommit } = await import('./resolve/git-sources.ts');
  const requirement = gitRequirements(recipe).find(({ name }) => name === source.name);
  if (requirement === undefined) throw new Error(`unreachable: no requirement for the commit of ${source.name}`);
  const found = await fetchCommit(
    { ...requirement, revision: source.commit },
    builder,
    await resolverSettings(context),
  );
  if (found.digest === source.digest) return;
  throw new RootcellarError(
    'E_DIGEST_MISMATCH',
    `commit ${source.commit} of \`${source.name}\`: its files are not those that were locked`,
    { hint: `rootcellar lock --upgrade-package ${source.name}, if the new bytes are to be trusted` },
  );
}

function required(origin: BuiltFrom | undefined): BuiltFrom {
  if (origin === undefined) throw new Error('unreachable: a wheel that was not built');
  return origin;
}
