import { ARCHITECTURES, type Architecture } from './base/architecture.ts';
import { digestOf, hexOf } from './base/digest.ts';
import { formatSize } from './base/units.ts';
import { hostDisk } from './assemble/host-disk.ts';
import { checkedChunks } from './assemble/unpack-host.ts';
import { checkSizes, lockedTarget } from './built-image.ts';
import { provideBuiltWheels } from './built-wheels.ts';
import { changesOf, lackingError } from './check-host-files.ts';
import { fetchArtifacts } from './fetch-artifacts.ts';
import { hostBytes, lockedArtifacts, lockedHostFiles, type HostBytes } from './lock/locked-artifacts.ts';
import type { Lockfile } from './lock/lockfile.ts';
import type { PipelineContext } from './pipeline-context.ts';
import { recipeWord, type Recipe } from './recipe/recipe.ts';
import { chooseCompiler } from './resolve/compiler-choice.ts';
import type { Artifact } from './resolve/resolution.ts';
import { withLock } from './store/kernel-lock.ts';
import { checkVendored, listVendored, putVendored, removeVendored, writeVendorIndex } from './store/vendor-folder.ts';
import { putHostBytes } from './store/vendor-host.ts';
import { vendorPlan, type Vendorable, type VendoredArtifact } from './store/vendor-names.ts';

export interface VendorRequest {
  readonly recipe: Recipe;
  /** Must match the recipe: see `checkDrift`. */
  readonly lock: Lockfile;
  readonly architectures: readonly Architecture[];
  /** Absolute path of the folder; made when it is not there. */
  readonly folder: string;
  /** Whether artifacts that this lockfile names for no architecture are removed from the folder. */
  readonly prune: boolean;
}

export interface VendorResult {
  /** In the order of the lockfile. */
  readonly files: readonly VendoredFile[];
  /** Paths from the folder: artifacts that the lockfile names for no architecture, and whether they are gone now. */
  readonly others: readonly string[];
}

export interface VendoredFile extends VendoredArtifact {
  /** Whether it was there already. */
  readonly isKept: boolean;
}

/**
 * Lockfile → a folder of plain files from which it can be built without a network and, where the base is a host, without
 * that host. Every file is read and checked, those that are right stay as they are, and each new one is whole at any
 * instant: it can be stopped, and goes on where it was.
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
  const needed = architectures.flatMap((architecture) => neededArtifacts(lock, architecture));
  const files = targets.flatMap(({ host }) => (host === undefined ? [] : lockedHostFiles(host)));
  const plan = vendorPlan([...needed.map(({ artifact }) => artifact), ...hostBytes(files)]);
  const missing = await findMissing(plan, request, context);
  await fetchMissing(missing, needed, { request, context });
  await putHost(missing, request, context);
  await putAll(missing, folder, context);
  const others = await unnamedFiles(plan, request);
  if (prune) for (const path of others) await removeVendored(folder, path);
  await writeVendorIndex(folder, plan);
  const isMissing = new Set(missing);
  return { files: plan.map((one) => Object.assign({}, one, { isKept: !isMissing.has(one) })), others };
}

/** What another architecture of the lockfile has stays: perhaps only another machine can bring it again. */
async function unnamedFiles(
  plan: readonly VendoredArtifact[],
  { lock, folder }: VendorRequest,
): Promise<readonly string[]> {
  const artifacts = [...lock.targets.keys()].flatMap((architecture) => neededArtifacts(lock, architecture));
  const files = [...lock.targets.values()].flatMap(({ host }) => (host === undefined ? [] : lockedHostFiles(host)));
  const all = vendorPlan([...artifacts.map(({ artifact }) => artifact), ...hostBytes(files)]);
  const named = new Set([...plan, ...all].map(({ path }) => path));
  return (await listVendored(folder)).filter((path) => !named.has(path));
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

interface Vendoring {
  readonly request: VendorRequest;
  readonly context: PipelineContext;
}

async function fetchMissing(
  missing: readonly VendoredArtifact[],
  needed: readonly NeededArtifact[],
  { request: { recipe }, context }: Vendoring,
): Promise<void> {
  const wanted = new Set<Vendorable>(missing.map(({ artifact }) => artifact));
  for (const architecture of ARCHITECTURES) {
    const mine = needed.filter((one) => one.architecture === architecture && wanted.has(one.artifact));
    await fetchArtifacts({ recipe, architecture, artifacts: mine.map(({ artifact }) => artifact) }, context);
  }
}

/** Files of a host come from this machine. All that are not as they were locked are named before any is copied. */
async function putHost(
  missing: readonly VendoredArtifact[],
  { recipe, lock, architectures, folder }: VendorRequest,
  context: PipelineContext,
): Promise<void> {
  const wanted = missing.flatMap(({ artifact }) => (artifact.kind === 'host' ? [artifact] : []));
  if (wanted.length === 0) return;
  const { environment, signal, progress } = context;
  const digests = new Set(wanted.map(({ digest }) => digest));
  for (const architecture of architectures) {
    const target = lockedTarget(lock, architecture);
    const files = lockedHostFiles(target.host ?? { files: [] }).filter(({ digest }) => digests.has(digest));
    const changes = await changesOf({ files, folders: [] }, { target, architecture }, context);
    if (changes.length > 0) throw lackingError(changes, { vendor: folder, architecture, recipe: recipeWord(recipe) });
  }
  const bytes = wanted.reduce((sum, { size }) => sum + size, 0);
  const title = `copy ${wanted.length} files of this machine to ${folder}`;
  progress({ kind: 'begin', step: 'copy', title, total: { items: wanted.length, bytes } });
  const done = { items: 0, bytes: 0 };
  const written = ({ size }: HostBytes): void => {
    done.items += 1;
    done.bytes += size;
    progress({ kind: 'advance', step: 'copy', done: { ...done } });
  };
  const disk = hostDisk();
  await putHostBytes(folder, wanted, { read: (one) => checkedChunks(disk, one), written, environment, signal });
  const summary = `${wanted.length} files of this machine, ${formatSize(bytes)}`;
  progress({ kind: 'end', step: 'copy', summary });
}

async function putAll(
  all: readonly VendoredArtifact[],
  folder: string,
  { store, signal, progress }: PipelineContext,
): Promise<void> {
  const missing = all.flatMap(({ artifact, path }) => (artifact.kind === 'host' ? [] : [{ artifact, path }]));
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
