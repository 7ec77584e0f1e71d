import pMap from 'p-map';
import { byteOrder } from '../base/byte-order.ts';
import type { Digest } from '../base/digest.ts';
import { RootcellarError } from '../base/rootcellar-error.ts';
import type { PythonRequirements } from '../recipe/recipe.ts';
import { reasonFor, type Reasons, type WantedVersions } from './agreement.ts';
import { versionOf } from './candidates.ts';
import type { ResolveRequirements } from './build-requirements.ts';
import { directFiles, type DirectFile } from './direct-files.ts';
import { buildCommits } from './git-sources.ts';
import type { UnpackedInterpreter } from './image-interpreter.ts';
import { withIndexGate, type IndexGate } from './index-gate.ts';
import { indexPlan, type IndexPlan } from './index-plan.ts';
import { markerHolds } from './marker-value.ts';
import { withPackageIndex, type PackageIndex } from './package-index.ts';
import { pipHelp, resolveWithPip } from './pip-resolver.ts';
import { explainFailure } from './python-explanation.ts';
import { failureError, type PythonFailure } from './python-failure.ts';
import { readMachineIndexes } from './python-index.ts';
import type { PickedWheel, PythonAnswer, PythonRequest } from './python-resolution.ts';
import { tagRanks, wheelTags, type PythonTarget } from './python-tags.ts';
import type { ResolverVersion, WheelArtifact } from './resolution.ts';
import { askOnce } from './remembered-answer.ts';
import type { ResolverSettings } from './resolver-settings.ts';
import type { IndexFile } from './simple-page.ts';
import { resolveWithSources, type Finish } from './source-resolver.ts';
import type { SourceSettings } from './sources-in-use.ts';
import { withTemporaryFolder } from './temporary-folder.ts';
import { judgeProject } from './project-judgement.ts';
import { pipVariables, uvVariables } from './tool-variables.ts';
import { resolveWithUv, uvVersion } from './uv-resolver.ts';

export interface WheelRequest {
  readonly python: PythonRequirements;
  /** Of the recipe, absolute. */
  readonly folder: string;
  readonly target: PythonTarget;
  readonly versions: WantedVersions;
  /** Seconds since 1970; no file that an index got later is taken. */
  readonly cutOff: number | undefined;
  /** Unpacks the image's interpreter, for when it is needed. */
  readonly findInterpreter: () => Promise<UnpackedInterpreter>;
  /** Undefined: nothing is built. */
  readonly sources?: SourceSettings | undefined;
}

export interface WheelResolution {
  readonly wheels: readonly WheelArtifact[];
  /** Why some have other versions than the peer's. */
  readonly reasons: Reasons;
  readonly resolver: ResolverVersion;
}

const CONNECTIONS = 8;

/**
 * Resolves requirements to exact wheels, by uv where it is installed, else by pip. Throws E_REQUIREMENT_*, E_INDEX_*,
 * E_DOWNLOAD, E_DIGEST_MISMATCH, E_RESOLVER_FAILED and E_RESOLVER_MISSING.
 */
export async function resolveWheels(request: WheelRequest, settings: ResolverSettings): Promise<WheelResolution> {
  const [machine, uv] = await Promise.all([readMachineIndexes(settings), uvVersion(settings)]);
  const { storedFile } = settings;
  const lastResort = async (): Promise<string> =>
    await pipHelp({ settings, interpreter: await request.findInterpreter() });
  const plan = await indexPlan(request.python, { machine, settings, folder: request.folder, lastResort });
  return await withPackageIndex({ plan, machine, settings }, async (index) => {
    const work = prepare(request, { index, settings, plan });
    if (request.sources !== undefined) return await resolveBuilding({ ...work, sources: request.sources }, uv);
    const resolution = await withIndexGate({ index, judge: (name) => judgeProject(name, work), storedFile }, (gate) =>
      resolveAt(gate, work, { uv, finish: () => Promise.resolve(new Map()) }),
    );
    if (resolution === undefined) throw new Error('unreachable: a resolution without an end');
    return resolution;
  });
}

/** As the others, with wheels of our own: built ones, and stand-ins for those that may have to be. */
async function resolveBuilding(
  work: Work & { readonly sources: SourceSettings },
  uv: string | undefined,
): Promise<WheelResolution> {
  const { sources, settings, target, index } = work;
  const tools = { ...sources, resolveRequirements: requirementsResolver(work, settings) };
  return await withTemporaryFolder(settings.temporaryFolder, async (folder) => {
    const commits = await buildCommits({ requirements: sources.commits, target, tools, settings });
    const whole = { ...work, lines: [...work.lines, ...commits.map(({ line }) => line)] };
    return await resolveWithSources<WheelResolution>({
      names: sources.names,
      known: commits.map(({ release }) => release),
      target,
      tools,
      index,
      folder,
      judge: (name) => judgeProject(name, whole),
      resolve: (judge, finish) =>
        withIndexGate({ index, judge, storedFile: settings.storedFile }, (gate) =>
          resolveAt(gate, whole, { uv, finish }),
        ),
    });
  });
}

/** For builds: with the same indexes and the same cut-off, for this machine, and nothing of the recipe's own limits. */
function requirementsResolver(request: WheelRequest, settings: ResolverSettings): ResolveRequirements {
  const { python, folder, cutOff, findInterpreter, sources } = request;
  const { extraIndexUrls, findLinks, trustedHosts, noIndex, cooldown, indexUrl, file } = python;
  return async (lines, locked) => {
    if (sources === undefined) throw new Error('unreachable: nothing is built');
    const { architecture, interpreter } = sources.environment;
    const target = { architecture, pythonVersion: interpreter.version, glibc: interpreter.glibc };
    const own = { file, indexUrl, extraIndexUrls, findLinks, trustedHosts, noIndex, cooldown, lines };
    const versions = { locked, peer: new Map<string, string>() };
    return (await resolveWheels({ python: own, folder, target, versions, cutOff, findInterpreter }, settings)).wheels;
  };
}

interface Work extends WheelRequest {
  readonly index: PackageIndex;
  readonly settings: ResolverSettings;
  readonly plan: IndexPlan;
  readonly direct: readonly DirectFile[];
  /** Requirements and limits that hold on the target, without markers. */
  readonly lines: readonly string[];
  readonly constraints: readonly string[];
  readonly ranks: ReadonlyMap<string, number>;
}

function prepare(request: WheelRequest, tools: Pick<Work, 'index' | 'settings' | 'plan'>): Work {
  const { python, target } = request;
  const direct = directFiles(python.direct ?? [], target, { settings: tools.settings, folder: request.folder });
  return {
    ...request,
    ...tools,
    direct,
    lines: [...heldLines(python.lines, target), ...new Set(direct.map(({ line }) => line))],
    constraints: heldLines(python.constraints ?? [], target),
    ranks: tagRanks(wheelTags(target)),
  };
}

/** So that both tools, and not the machine that they run on, judge markers alike. */
function heldLines(lines: readonly string[], target: PythonTarget): readonly string[] {
  return lines.flatMap((line) => {
    const [, requirement = line, marker] = /^([^;]*); (.*)$/.exec(line) ?? [];
    return marker === undefined || markerHolds(marker, target) ? [requirement] : [];
  });
}

interface Ending {
  readonly uv: string | undefined;
  readonly finish: Finish;
}

/** Undefined when `finish` wants it to be done again. */
async function resolveAt(gate: IndexGate, work: Work, { uv, finish }: Ending): Promise<WheelResolution | undefined> {
  const request = {
    ...work,
    preferences: await availablePreferences(gate, work),
    preReleases: work.python.preReleases,
  };
  const question = { ...request, indexVariables: {} };
  const asking = (): ReturnType<typeof ask> => ask(question, { work, uv, url: gate.url });
  const { settings } = work;
  // Stand-ins for what has to be built are other ones each time; pip's version is known only when it has been asked.
  const isNew = uv === undefined || work.sources !== undefined;
  const answered = isNew ? asking() : askOnce({ request: question, version: uv, gate, settings }, asking);
  const outcome = await answered.catch((error: unknown) => {
    const behind = gate.fault();
    if (behind !== undefined) throw behind;
    throw error;
  });
  const fault = gate.fault();
  if (fault !== undefined) throw fault;
  if (outcome.kind === 'failure') throw await failure(outcome, gate, work);
  const built = await finish(outcome.wheels);
  if (built === undefined) return undefined;
  const lock = async (wheel: PickedWheel): Promise<WheelArtifact> =>
    built.get(wheel.name) ?? (await lockWheel(wheel, gate, work));
  const wheels = await pMap(outcome.wheels, lock, { concurrency: CONNECTIONS });
  const resolver = { name: outcome.tool, version: outcome.version };
  const reasons = await reasonsOf(wheels, gate, work);
  return { wheels: wheels.toSorted((a, b) => byteOrder(a.name, b.name)), reasons, resolver };
}

/** Whether the version that the peer has is not there for this architecture, or does not go with the others. */
async function reasonsOf(
  wheels: readonly WheelArtifact[],
  gate: IndexGate,
  { versions, target }: Work,
): Promise<Reasons> {
  const reasons = new Map<string, string>();
  for (const { name, version } of wheels) {
    const wanted = versions.peer.get(name);
    if (wanted === undefined || wanted === version) continue;
    const has = (await gate.page(name)).usable.some(({ file }) => versionOf(file, name) === wanted);
    const none = `${wanted} has no wheel for ${target.architecture}`;
    reasons.set(name, has ? reasonFor(wanted, true, target.architecture) : none);
  }
  return reasons;
}

interface Asking {
  readonly work: Work;
  readonly uv: string | undefined;
  /** Of the gate's simple API. */
  readonly url: string;
}

async function ask(request: PythonRequest, { work, uv, url }: Asking): Promise<PythonAnswer | PythonFailure> {
  const { settings, findInterpreter } = work;
  if (uv === undefined) {
    const tools = { settings, interpreter: await findInterpreter() };
    return await resolveWithPip({ ...request, indexVariables: pipVariables(url, settings.environment) }, tools);
  }
  const findPython = async (): Promise<string> => (await findInterpreter()).program;
  const indexVariables = uvVariables(url, settings.environment);
  return await resolveWithUv({ ...request, indexVariables }, { settings, version: uv, findPython });
}

/** A locked version that may not be taken any more would make pip, which knows no preferences, give up. */
async function availablePreferences(gate: IndexGate, { versions }: Work): Promise<ReadonlyMap<string, string>> {
  const kept = await pMap(
    [...new Map([...versions.locked, ...versions.peer])],
    async ([name, version]): Promise<readonly [string, string][]> => {
      // The gate keeps what went wrong for the resolver, which asks for the same page if it needs it.
      const page = await gate.page(name).catch(() => undefined);
      return page?.usable.some(({ file }) => versionOf(file, name) === version) === true ? [[name, version]] : [];
    },
    { concurrency: CONNECTIONS },
  );
  return new Map(kept.flat());
}

/** A tool may give up before it has asked for all. */
async function failure(outcome: PythonFailure, gate: IndexGate, work: Work): Promise<RootcellarError> {
  // pip compares bytes while it resolves, uv leaves that to us.
  if (outcome.code === 'E_DIGEST_MISMATCH')
    for (const { name, file } of work.direct) await checkedDigest(name, file, work);
  const names = work.lines.flatMap((line) => /^[a-z0-9-]+/.exec(line)?.[0] ?? []);
  const rest = await pMap(names, async (name) => [name, await gate.page(name)] as const, { concurrency: CONNECTIONS });
  const explained = explainFailure({
    output: outcome.output,
    lines: work.lines,
    constraints: work.constraints,
    pages: new Map([...rest, ...gate.asked]),
    places: work.python.places ?? new Map(),
    labels: work.plan.indexes.map(({ label }) => label),
    target: work.target,
    cutOff: work.cutOff,
  });
  return explained ?? failureError(outcome);
}

/** Size, digest and upload time come from the index, whichever tool chose the wheel. */
async function lockWheel({ name, version, file }: PickedWheel, gate: IndexGate, work: Work): Promise<WheelArtifact> {
  const found = (await gate.page(name)).usable.find((row) => row.file === file);
  if (found === undefined) {
    throw new RootcellarError(
      'E_RESOLVER_FAILED',
      `python requirement \`${name}\`: \`${file}\` is not among the files of the package index`,
      {
        hint: `write \`${name}\` with its address into the requirements file`,
      },
    );
  }
  const digest = await checkedDigest(name, found, work);
  checkHash({ name, file, digest }, work);
  if (found.yanked) {
    const message = `python package \`${name}\`: version ${version} was withdrawn from its index (yanked), and is taken as it is asked for exactly`;
    work.settings.progress?.({ kind: 'warning', message });
  }
  const size = await work.index.sizeOf(found);
  const { uploaded, from } = found;
  return { kind: 'wheel', name, version, file, size, digest, uploaded, ...(from === undefined ? {} : { from }) };
}

/** A digest that the user gives with an address is compared with the bytes at once. */
async function checkedDigest(name: string, file: IndexFile, { index }: Work): Promise<Digest> {
  const isPromised = file.digest !== undefined && file.from !== undefined && 'url' in file.from;
  const digest = await index.digestOf(isPromised ? { ...file, digest: undefined } : file);
  if (!isPromised || digest === file.digest) return digest;
  throw new RootcellarError(
    'E_DIGEST_MISMATCH',
    `python requirement \`${name}\`: \`${file.file}\` is not the file that its sha256 promises`,
    {
      hint: 'check where the file comes from, then correct the digest',
    },
  );
}

function checkHash(
  { name, file, digest }: Pick<WheelArtifact, 'name' | 'file' | 'digest'>,
  { python, direct }: Work,
): void {
  const own = direct.find((one) => one.name === name)?.file.digest;
  const listed = python.hashes?.get(name) ?? (own === undefined ? undefined : [own]);
  if (listed?.includes(digest) === false) {
    throw new RootcellarError(
      'E_DIGEST_MISMATCH',
      `python requirement \`${name}\`: \`${file}\` has none of the listed hashes`,
      {
        hint: 'check where the hashes come from, then correct them',
      },
    );
  }
  if (python.requireHashes !== true || listed !== undefined) return;
  throw new RootcellarError(
    'E_REQUIREMENT_REFUSED',
    `python requirement \`${name}\`: it is needed, but has no hash, though others have one`,
    {
      hint: `add \`${name}==VERSION --hash=${digest}\` if you trust it, or remove all hashes`,
    },
  );
}
