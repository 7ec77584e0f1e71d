import { ARCHITECTURES, type Architecture } from './base/architecture.ts';
import { digestOf, hexOf } from './base/digest.ts';
import { formatSize } from './base/units.ts';
import { checkSizes, lockedTarget } from './built-image.ts';
import { provideBuiltWheels } from './built-wheels.ts';
import { fetchArtifacts } from './fetch-artifacts.ts';
import { lockedArtifacts } from './lock/locked-artifacts.ts';
import type { Lockfile } from './lock/lockfile.ts';
import type { PipelineContext } from './pipeline-context.ts';
import type { Recipe } from './recipe/recipe.ts';
import { chooseCompiler } from './resolve/compiler-choice.ts';
import type { Artifact } from './resolve/resolution.ts';
import { withLock } from './store/kernel-lock.ts';
import { checkVendored, listVendored, putVendored, removeVendored, writeVendorIndex } from './store/vendor-folder.ts';
import { vendorPlan, type VendoredArtifact } from './store/vendor-names.ts';

export interface VendorRequest {
  readonly recipe: Recipe;
  /** Must match the recipe: see `checkDrift`. */
  readonly lock: Lockfile;
  readonly architectures: readonly Architecture[];
  /** Absolute path of the folder; made when it is not there. */
  readonly folder: string;
  /** Whether artifacts that this lockfile does not name are removed from the folder. */
  readonly prune: boolean;
}

export interface VendorResult {
  /** In the order of the lockfile. */
  readonly files: readonly VendoredFile[];
  /** Paths from the folder: artifacts that the lockfile does not name, and whether they are gone now. */
  readonly others: readonly string[];
}

export interface VendoredFile extends VendoredArtifact {
  /** Whether it was there already. */
  readonly isKept: boolean;
}

/**
 * Lockfile → a folder of plain files from which it can be built without a network. Every file is read and checked, those
 * that are right stay as they are, and each new one is whole at any instant: it can be stopped, and goes on where it was.
 */
export async function vendorArtifacts(request: VendorRequest, context: PipelineContext): Promise<VendorResult> {
  const lock = { lock: `vendor-${hexOf(digestOf(request.folder))}`, signal: context.signal };
  return withLock(context.store, lock, () => fillFolder(request, context));
}

async function fillFolder(request: VendorRequest, context: PipelineContext): Promise<VendorResult> {
  const { lock, architectures, folder, prune } = request;
  const targets = architectures.map((architecture) => lockedTarget(lock, architecture));
  for (const target of targets) await checkSizes(context.store, target);
  for (const architecture of architectures) {
    const target = lockedTarget(lock, architecture);
    await provideBuiltWheels({ recipe: request.recipe, lock, architecture, target }, context);
  }
  if (targets.some(({ host }) => host !== undefined)) {
    const message = 'base.host: files of this machine are not vendored: a build reads them where they are';
    context.progress({ kind: 'warning', message, hint: 'build on this machine, or in the same stage of a Dockerfile' });
  }
  const needed = architectures.flatMap((architecture) => neededArtifacts(lock, architecture));
  const plan = vendorPlan(needed.map(({ artifact }) => artifact));
  const missing = await findMissing(plan, request, context);
  const wanted = new Set<Artifact>(missing.map(({ artifact }) => artifact));
  for (const architecture of ARCHITECTURES) {
    const mine = needed.filter((one) => one.architecture === architecture && wanted.has(one.artifact));
    const artifacts = mine.map(({ artifact }) => artifact);
    await fetchArtifacts({ recipe: request.recipe, architecture, artifacts }, context);
  }
  await putAll(missing, folder, context);
  const named = new Set(plan.map(({ path }) => path));
  const others = (await listVendored(folder)).filter((path) => !named.has(path));
  if (prune) for (const path of others) await removeVendored(folder, path);
  await writeVendorIndex(folder, plan);
  const files = plan.map((one) => ({ artifact: one.artifact, path: one.path, isKept: !missing.includes(one) }));
  return { files, others };
}

interface NeededArtifact {
  readonly artifact: Artifact;
  /** Of the archive's index that has it. */
  readonly architecture: Architecture;
}

/** What the target names, and what compiles its bytecode on a machine of either architecture. */
function neededArtifacts(lock: Lockfile, architecture: Architecture): readonly NeededArtifact[] {
  const compilers = ARCHITECTURES.flatMap((host) => {
    const choice = chooseCompiler(lock.targets, architecture, host);
    return choice.kind === 'other' ? choice.debs : [];
  });
  return [...lockedArtifacts(lockedTarget(lock, architecture)), ...compilers].map((artifact) => ({
    artifact,
    architecture: artifact.kind === 'deb' && artifact.architecture !== 'all' ? artifact.architecture : architecture,
  }));
}

async function findMissing(
  plan: readonly VendoredArtifact[],
  { folder }: VendorRequest,
  { signal, progress }: PipelineContext,
): Promise<readonly VendoredArtifact[]> {
  const missing: VendoredArtifact[] = [];
  for (const one of plan) {
    signal.throwIfAborted();
    const state = await checkVendored(folder, one, signal);
    if (state.kind !== 'sound') missing.push(one);
    if (state.kind === 'wrong') {
      progress({ kind: 'warning', message: `\`${state.path}\`: ${state.fault}; the right file takes its place` });
    }
  }
  return missing;
}

async function putAll(
  missing: readonly VendoredArtifact[],
  folder: string,
  { store, signal, progress }: PipelineContext,
): Promise<void> {
  if (missing.length === 0) return;
  const bytes = missing.reduce((sum, { artifact }) => sum + artifact.size, 0);
  const total = { items: missing.length, bytes };
  progress({ kind: 'begin', step: 'vendor', title: `copy ${missing.length} artifacts to ${folder}`, total });
  const done = { items: 0, bytes: 0 };
  for (const one of missing) {
    signal.throwIfAborted();
    await putVendored(folder, one, { store, signal });
    done.items += 1;
    done.bytes += one.artifact.size;
    progress({ kind: 'advance', step: 'vendor', done: { ...done }, detail: one.artifact.name });
  }
  progress({ kind: 'end', step: 'vendor', summary: `${missing.length} artifacts copied, ${formatSize(bytes)}` });
}
