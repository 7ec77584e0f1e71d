import type { Architecture } from '../base/architecture.ts';
import { noProgress } from '../base/progress.ts';
import { RootcellarError } from '../base/rootcellar-error.ts';
import type { DebianBase, Recipe } from '../recipe/recipe.ts';
import {
  differencesOf,
  peerOf,
  reasonFor,
  wantedVersions,
  wantingOf,
  withoutRebuild,
  type Peer,
  type Reasons,
} from './agreement.ts';
import { DEBIAN_KEYRING, readMachineApt, withAptRoot, type AptRoot, type MachineApt } from './apt-root.ts';
import { resolveBuildPackages } from './build-settings.ts';
import { lacksCompiler } from './compiler-choice.ts';
import { availableVersions, type DebianRequest, type DebianResolution } from './debian-resolver.ts';
import { sourcesForSuite } from './debian-sources.ts';
import { resolveSystem } from './debian-system.ts';
import { resolveEarly, type EarlyWheels } from './early-wheels.ts';
import { newestDate, withOwnEpochs } from './epoch.ts';
import { resolveCompilers, unpackForHost, type HostRequest } from './host-interpreter.ts';
import type { HostMachine } from './host-machine.ts';
import { unpackInterpreter, type UnpackedInterpreter } from './image-interpreter.ts';
import { interpreterOf } from './interpreter-facts.ts';
import type { DebArtifact, Epoch, Interpreter, Resolution, ResolvedTarget, ResolverVersion } from './resolution.ts';
import { resolveHost } from './resolve-host.ts';
import { cutOffOf, resolvePython } from './resolve-python.ts';
import type { ResolverSettings, Upgrade } from './resolver-settings.ts';
import type { WheelBuilder } from './wheel-builder.ts';

export interface ResolveRequest {
  readonly recipe: Recipe;
  /** What is locked now; its versions stay where nothing speaks against it. */
  readonly previous?: (Pick<Resolution, 'targets'> & Partial<Resolution>) | undefined;
  /** Those to resolve; the recipe's others stay as `previous` has them. Left out: all of the recipe. */
  readonly architectures?: readonly Architecture[] | undefined;
  /** Whether `previous` is of just these requirements: the wheels of a host then stay as they are. */
  readonly isCurrent?: boolean | undefined;
  readonly upgrade: Upgrade;
  readonly settings: ResolverSettings;
  /** For `base.host`. */
  readonly host?: HostMachine | undefined;
  /** Builds what the recipe wants to be built from source. */
  readonly builder?: WheelBuilder | undefined;
}

/**
 * Recipe → the exact artifacts of each of its architectures. The first one's versions are wanted for the others; where that
 * cannot be, `differences` of the result says why. Needs apt, and for Python requirements uv or the means to run pip. The
 * errors are those of `resolveDebian` and `resolveWheels`, and E_RECIPE_VALUE for requirements without an interpreter.
 */
export async function resolveRecipe(request: ResolveRequest): Promise<Resolution> {
  const { recipe, settings, previous } = request;
  const progress = settings.progress ?? noProgress;
  progress({ kind: 'begin', step: 'resolve', title: recipe.name });
  const { base } = recipe;
  const machine = base.kind === 'debian' ? { base, apt: await readMachineApt(settings) } : undefined;
  const { targets, kept, results } = await resolveTargets(request, async (target) =>
    machine === undefined ? resolveHost(target) : resolveTarget({ ...target, ...machine }),
  );
  if (machine !== undefined) {
    for (const [architecture, target] of targets) {
      const one = { ...request, ...machine, architecture, peer: undefined, resolved: targets };
      targets.set(architecture, await withCompilers(one, target, targets));
    }
  }
  const reasons = new Map(results.flatMap((result) => [...result.reasons]));
  const differences = differencesOf(targets, reasons, previous?.differences);
  const epoch = newestDate([...targets.values()]);
  tellWarnings({ epoch, differences, previous }, settings);
  const count = results.map(({ target }) => countText(target)).join('; ');
  progress({ kind: 'end', step: 'resolve', summary: count === '' ? 'nothing but a compiler' : count });
  const cutOff = cutOffOf(request);
  return {
    epoch,
    resolvers: resolversOf([
      ...(kept.length > 0 ? (previous?.resolvers ?? []) : []),
      ...(machine === undefined ? [] : [{ name: 'apt' as const, version: machine.apt.version }]),
      ...results.flatMap(({ resolver }) => resolver ?? []),
    ]),
    targets: withOwnEpochs(targets, epoch),
    ...(differences.length === 0 ? {} : { differences }),
    ...(cutOff === undefined ? {} : { cutOff }),
  };
}

function countText({ debs, wheels, host }: ResolvedTarget): string {
  const base = host === undefined ? `${debs.length} debs` : `${host.files.length} files of this machine`;
  return `${base}, ${wheels.length} wheels`;
}

interface ResolvedTargets {
  readonly targets: Map<Architecture, ResolvedTarget>;
  /** Architectures that were not resolved again. */
  readonly kept: readonly Architecture[];
  readonly results: readonly TargetResult[];
}

/** One after the other, since what the first has is wanted for the next. */
async function resolveTargets(
  request: ResolveRequest,
  resolve: (target: TargetRequest) => Promise<TargetResult>,
): Promise<ResolvedTargets> {
  const { recipe, previous, architectures = recipe.architectures } = request;
  const locked = [...(previous?.targets ?? [])];
  const targets = new Map(
    locked.filter(([name]) => recipe.architectures.includes(name) && !architectures.includes(name)),
  );
  const kept = [...targets.keys()];
  const results: TargetResult[] = [];
  for (const architecture of inBuildOrder(architectures, request.builder)) {
    const peer = peerOf(architecture, targets, kept);
    const result = await resolve({ ...request, architecture, peer, resolved: targets }).catch((error: unknown) => {
      throw recipe.architectures.length > 1 ? namingArchitecture(error, architecture) : error;
    });
    targets.set(architecture, result.target);
    results.push(result);
  }
  return { targets, kept, results };
}

/** Where wheels are built, this machine's architecture comes first: its pure ones serve the others. */
function inBuildOrder(all: readonly Architecture[], builder: WheelBuilder | undefined): readonly Architecture[] {
  return [...all.filter((one) => one === builder?.architecture), ...all.filter((one) => one !== builder?.architecture)];
}

/** Of several architectures, the one that cannot have what the recipe asks for. */
function namingArchitecture(error: unknown, architecture: Architecture): unknown {
  if (!(error instanceof RootcellarError) || !/^E_(?:REQUIREMENT|DEB_CONFLICT)/.test(error.code)) return error;
  return RootcellarError.ofProblems(
    error.problems.map((problem) => Object.assign({}, problem, { message: `${architecture}: ${problem.message}` })),
  );
}

/** A compiler is of use only where this machine's architecture is not among the targets. */
async function withCompilers(
  request: DebianTargetRequest,
  target: ResolvedTarget,
  targets: ReadonlyMap<Architecture, ResolvedTarget>,
): Promise<ResolvedTarget> {
  const { architecture, settings } = request;
  const { compilers: old = [], ...rest } = target;
  const useful = old.some((deb) => deb.architecture !== 'all' && targets.has(deb.architecture)) ? [] : old;
  const compilers = lacksCompiler(targets, architecture, settings.hostArchitecture)
    ? await resolveCompilers(hostRequest(request), architecture, target)
    : useful;
  return compilers.length === 0 ? rest : { ...rest, compilers };
}

interface Told {
  readonly epoch: Epoch;
  readonly differences: readonly string[];
  readonly previous: ResolveRequest['previous'];
}

const DAY = 86_400;
const MOST_TOLD = 10;

function tellWarnings({ epoch, differences, previous }: Told, { now, progress = noProgress }: ResolverSettings): void {
  if (epoch.seconds > now + DAY) {
    const hint = 'check the clock of this machine';
    progress({ kind: 'warning', message: `${epoch.from}: its date is in the future`, hint });
  }
  const added = differences.filter((line) => previous?.differences?.includes(line) !== true);
  for (const message of added.slice(0, MOST_TOLD)) progress({ kind: 'warning', message });
  if (added.length <= MOST_TOLD) return;
  const message = `the architectures differ in ${added.length - MOST_TOLD} packages more`;
  progress({ kind: 'warning', message, hint: 'see `differences` in the lockfile' });
}

export interface TargetRequest extends ResolveRequest {
  readonly architecture: Architecture;
  readonly peer: Peer | undefined;
  /** Those that are done. */
  readonly resolved: ReadonlyMap<Architecture, ResolvedTarget>;
}

interface DebianTargetRequest extends TargetRequest {
  readonly base: DebianBase;
  readonly apt: MachineApt;
}

export interface TargetResult {
  readonly target: ResolvedTarget;
  readonly resolver: ResolverVersion | undefined;
  /** Why some packages have other versions than the peer's. */
  readonly reasons: Reasons;
}

async function resolveTarget(request: DebianTargetRequest): Promise<TargetResult> {
  const early = resolveEarly(request);
  try {
    return await resolveWithApt(request, early);
  } finally {
    await early.end();
  }
}

async function resolveWithApt(request: DebianTargetRequest, early: EarlyWheels): Promise<TargetResult> {
  const { architecture, settings, previous } = request;
  const progress = settings.progress ?? noProgress;
  return await withAptRoot({ ...request, machine: request.apt }, async (root) => {
    const debian = debianRequest(request, architecture);
    progress({ kind: 'advance', step: 'resolve', done: {}, detail: `debian packages for ${architecture}` });
    const { sharedObjects, ...resolution } = await resolveSystem({
      recipe: request.recipe,
      architecture,
      debian,
      root,
      settings,
    });
    const { debs, indexes } = keptIndexes(resolution, previous?.targets.get(architecture));
    const reasons = await debianReasons(root, debs, request);
    const interpreter = interpreterOf(debs);
    progress({
      kind: 'advance',
      step: 'resolve',
      done: { items: debs.length },
      detail: `python packages for ${architecture}`,
    });
    const findInterpreter = async (own: Interpreter): Promise<UnpackedInterpreter> =>
      architecture === settings.hostArchitecture
        ? await unpackInterpreter({ ...request, root, debian, interpreter: own })
        : await unpackForHost(hostRequest(request), own);
    const buildDebs = await resolveBuildPackages({ ...request, root, debian, debs });
    const python =
      (await early.take(interpreter)) ??
      (await resolvePython({ ...request, interpreter, findInterpreter, debs, buildDebs }));
    const wheels = python?.wheels ?? [];
    const optional = { ...(sharedObjects && { sharedObjects }), ...(buildDebs.length > 0 && { buildDebs }) };
    const target = { interpreter, indexes, debs, wheels, ...optional };
    return { target, resolver: python?.resolver, reasons: new Map([...reasons, ...(python?.reasons ?? [])]) };
  });
}

function debianRequest(request: DebianTargetRequest, architecture: Architecture): DebianRequest {
  const { base, settings, apt } = request;
  const { suite, components, mirror, packages } = base;
  return {
    suite,
    packages,
    sources: sourcesForSuite(apt.entries, {
      suite,
      components,
      mirror,
      architecture,
      hostCodename: apt.codename,
      defaultKeyring: DEBIAN_KEYRING,
    }),
    pins: wantedVersions('debs', wantingOf(request)),
    warn: (message) => (settings.progress ?? noProgress)({ kind: 'warning', message }),
  };
}

function hostRequest(request: DebianTargetRequest): HostRequest {
  const { apt: machine, settings } = request;
  const debianFor = (architecture: Architecture): DebianRequest => debianRequest(request, architecture);
  return { machine, settings, host: settings.hostArchitecture, debianFor };
}

/** Asks the archive for the versions that the peer has and this target has not. */
async function debianReasons(
  root: AptRoot,
  debs: readonly DebArtifact[],
  { peer, architecture }: TargetRequest,
): Promise<Reasons> {
  const theirs = new Map(peer?.target.debs.map(({ name, version }) => [name, version]));
  const others = debs.flatMap(({ name, version }) => {
    const wanted = theirs.get(name);
    return wanted === undefined || withoutRebuild(wanted) === withoutRebuild(version) ? [] : [{ name, wanted }];
  });
  const available = await availableVersions(
    root,
    others.map(({ name }) => name),
  );
  return new Map(
    others.map(({ name, wanted }) => {
      const has = (available.get(name) ?? []).some((one) => withoutRebuild(one) === withoutRebuild(wanted));
      return [name, reasonFor(wanted, has, architecture)];
    }),
  );
}

/** The indexes change several times a day; where the packages are still the locked ones, so are their vouchers. */
function keptIndexes(now: DebianResolution, previous: ResolvedTarget | undefined): DebianResolution {
  const isSame =
    previous !== undefined &&
    previous.debs.length === now.debs.length &&
    previous.debs.every((deb, index) => deb.digest === now.debs[index]?.digest && deb.suite === now.debs[index].suite);
  return isSame ? { debs: now.debs, indexes: previous.indexes } : now;
}

function resolversOf(all: readonly ResolverVersion[]): readonly ResolverVersion[] {
  return [...new Map(all.map((resolver) => [resolver.name, resolver])).values()];
}
