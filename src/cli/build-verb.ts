import type { Architecture } from '../base/architecture.ts';
import { RootcellarError, type Problem } from '../base/rootcellar-error.ts';
import { formatSize } from '../base/units.ts';
import { findBuilt, lockedTarget, withIdentities } from '../built-image.ts';
import type { BuildRequest } from '../build-image.ts';
import { checkDrift } from '../lock/drift.ts';
import { lockfilePath, writeLockfile } from '../lock/lockfile-files.ts';
import type { Lockfile } from '../lock/lockfile.ts';
import type { PipelineContext } from '../pipeline-context.ts';
import { recipeWord, type Recipe } from '../recipe/recipe.ts';
import type { Image } from '../store/image-record.ts';
import { wantedArchitectures } from './architectures.ts';
import { artifactSupply } from './artifact-supply.ts';
import type { CommandContext } from './command-context.ts';
import type { BuildFlags } from './command-line.ts';
import type { CompletedRecipe, Completion } from '../add-missing-libraries.ts';
import { missingLockfile } from './lock-verb.ts';
import { outputPaths, refuseSameFile, type OutputPaths } from './output-paths.ts';
import { knownLockfile } from '../known-lockfile.ts';
import { knownRecipe, withPipeline } from './pipeline.ts';
import { warnOfRecipe } from './policy-warnings.ts';

/** `rootcellar build`, `build-rootfs`. */
export async function buildVerb(context: CommandContext, path: string, flags: BuildFlags): Promise<number> {
  refuseContradiction(flags);
  const recipe = await knownRecipe(path, context);
  const architectures = wantedArchitectures(recipe, flags.arch);
  const outputs = await outputPaths({ output: flags.output, name: recipe.name, architectures });
  const containers = await containerPaths(recipe, architectures, flags);
  await refuseSameFile(outputs, containers);
  await warnOfRecipe(recipe, context.reporter.progress);
  const images = await withPipeline(context, async (pipeline) => {
    const built = await buildAll(recipe, { architectures, outputs, flags }, pipeline);
    await writeContainers(built, containers, pipeline);
    return built;
  });
  for (const image of images) {
    const { name, architecture, diffId, size, generation } = image;
    const text = `${name} ${architecture} ${diffId} ${formatSize(size)}\n`;
    const output = outputs.get(architecture);
    const container = containers.get(architecture);
    context.reporter.result(text, { name, architecture, diff_id: diffId, size, generation, output, container });
  }
  return 0;
}

/** Before anything is built in vain. */
async function containerPaths(
  { name, sandbox }: Recipe,
  architectures: readonly Architecture[],
  { container: output }: BuildFlags,
): Promise<OutputPaths> {
  if (output === undefined) return new Map();
  const { checkContainerPolicy } = await import('../container-plans.ts');
  checkContainerPolicy(name, sandbox);
  return outputPaths({ output, name: `${name}-container`, architectures, flag: '--container' });
}

async function writeContainers(
  images: readonly Image[],
  containers: OutputPaths,
  pipeline: PipelineContext,
): Promise<void> {
  for (const image of images) {
    const output = containers.get(image.architecture);
    if (output === undefined) continue;
    const { writeContainer } = await import('../container-rootfs.ts');
    await writeContainer(image, output, pipeline);
  }
}

function refuseContradiction({ locked, offline, addMissing }: BuildFlags): void {
  if (addMissing !== true || (locked !== true && offline !== true)) return;
  const fault = locked === true ? 'it writes what --locked forbids' : 'it asks the network, which --offline forbids';
  throw new RootcellarError('E_USAGE', `--add-missing: ${fault}`, { hint: 'leave one of the two out' });
}

/** Told what is missing before the error. */
type OnMissing = BuildRequest['onMissing'];

interface Builds {
  readonly onMissing?: OnMissing;
  readonly architectures: readonly Architecture[];
  readonly outputs: OutputPaths;
  readonly flags: BuildFlags;
}

/** Builds recipe `recipe` for `run`: with the lockfile that is there, else with a new one. */
export async function buildRecipe(
  recipe: Recipe,
  architecture: Architecture,
  { pipeline, onMissing }: { readonly pipeline: PipelineContext; readonly onMissing?: OnMissing },
): Promise<Image> {
  const builds = { architectures: [architecture], outputs: new Map<Architecture, string>(), flags: {}, onMissing };
  const [image] = await buildAll(recipe, builds, pipeline);
  if (image === undefined) throw new Error('unreachable: one architecture gave no image');
  return image;
}

async function buildAll(recipe: Recipe, builds: Builds, context: PipelineContext): Promise<readonly Image[]> {
  const { architectures, flags } = builds;
  const pipeline = { ...context, ...(await artifactSupply(recipe, flags)) };
  const known = await knownLockfile(recipe, pipeline.store);
  const present = known.lock ?? (flags.locked === true ? missingLockfile(recipe) : await newLockfile(recipe, pipeline));
  checkDrift(present.recipe, recipe);
  for (const architecture of architectures) lockedTarget(present, architecture);
  if (flags.addMissing === true) {
    const { recipe: completed, lock } = await complete({ recipe, lock: present, architectures }, pipeline);
    return buildEach(completed, lock, { builds, pipeline, isCanonical: false });
  }
  return buildEach(recipe, present, { builds, pipeline, isCanonical: known.isCanonical });
}

async function complete(start: Completion, pipeline: PipelineContext): Promise<CompletedRecipe> {
  const { addMissingLibraries } = await import('../add-missing-libraries.ts');
  const completed = await addMissingLibraries(start, pipeline);
  for (const library of completed.added) {
    const shown = typeof library === 'string' ? library : JSON.stringify(library);
    pipeline.progress({
      kind: 'warning',
      message: `\`${start.recipe.file}\`: ${shown} was added to \`shared_objects\``,
    });
  }
  return completed;
}

interface Building {
  readonly builds: Builds;
  /** Whether the lockfile is written as it would be written again. */
  readonly isCanonical: boolean;
  readonly pipeline: PipelineContext;
}

async function buildEach(recipe: Recipe, lock: Lockfile, building: Building): Promise<readonly Image[]> {
  const { builds, pipeline, isCanonical } = building;
  const { architectures, outputs, flags, onMissing } = builds;
  const images: Image[] = [];
  const lacking: Problem[] = [];
  for (const architecture of architectures) {
    const output = outputs.get(architecture);
    try {
      const built = output === undefined ? await findBuilt({ recipe, lock, architecture }, pipeline) : undefined;
      images.push(built ?? (await makeImage({ recipe, lock, architecture, output, onMissing }, pipeline)));
    } catch (error) {
      lacking.push(...lackingProblems(error));
    }
    // After each: what one build has found out must not be lost when the next one fails.
    const isWritten = isCanonical && hasIdentities(lock, images);
    if (flags.locked !== true && !isWritten) await writeLockfile(lockfilePath(recipe), withIdentities(lock, images));
  }
  if (lacking.length > 0) throw RootcellarError.ofProblems(lacking);
  return images;
}

/** What an offline build of one architecture lacks is told together with what the others lack. */
function lackingProblems(error: unknown): readonly Problem[] {
  if (error instanceof RootcellarError && error.code === 'E_OFFLINE') return error.problems;
  throw error;
}

/** The pipeline takes longer to load than it takes to see that nothing has changed. */
async function makeImage(request: BuildRequest, pipeline: PipelineContext): Promise<Image> {
  const { buildImage } = await import('../build-image.ts');
  return buildImage(request, pipeline);
}

/** Without a lockfile, one is made, and that is said. */
async function newLockfile(recipe: Recipe, pipeline: PipelineContext): Promise<Lockfile> {
  if (pipeline.offline === true) throw lockedElsewhere(recipe);
  const { lockRecipe } = await import('../lock-recipe.ts');
  const { lock } = await lockRecipe({ recipe, upgrade: 'none' }, pipeline);
  pipeline.progress({
    kind: 'warning',
    message: `\`${lockfilePath(recipe)}\`: there was no lockfile, so one was made`,
    hint: 'commit it: with it, every build gives these bytes',
  });
  return lock;
}

/** Resolving asks archives and indexes, so it cannot be done offline. */
function lockedElsewhere(recipe: Recipe): RootcellarError {
  const message = `\`${lockfilePath(recipe)}\`: there is no lockfile, and making one needs the network`;
  const hint = `rootcellar lock ${recipeWord(recipe)}, where there is a network`;
  return new RootcellarError('E_LOCK_MISSING', message, { hint });
}

function hasIdentities(lock: Lockfile, images: readonly Image[]): boolean {
  return images.every(({ architecture, diffId }) => lock.targets.get(architecture)?.diffId === diffId);
}
