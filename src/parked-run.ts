import { availableParallelism } from 'node:os';
import type { Architecture } from './base/architecture.ts';
import { CELL_PATH, cellGround, cellHost } from './cell-host.ts';
import type { OpenNetwork } from './cell-network.ts';
import type { PipelineContext } from './pipeline-context.ts';
import { programPlan } from './program-plan.ts';
import { programReport } from './program-report.ts';
import { networkMode } from './recipe/network.ts';
import type { Tier } from './recipe/recipe.ts';
import { cellEnvironment } from './run/cell-environment.ts';
import { cellLimits } from './run/cell-limits.ts';
import { cellPaths, pathVariables } from './run/cell-start.ts';
import type { Stocked } from './run/cell-stock.ts';
import type { CellOutcome } from './run/launch-cell.ts';
import { errorName } from './run/kernel-names.ts';
import { fitsParkedCell, programPath } from './run/launch-plan.ts';
import type { Job, LaunchPlan, ProgramFile, ResourceLimit } from './run/launch-plan.ts';
import { networkPolicy } from './run/network-policy.ts';
import { parkCell, type ParkedCell } from './run/park-cell.ts';
import { parkedProgram, zygoteProgram, type Language } from './run/parked-programs.ts';
import type { RunReport, StartKind } from './run/run-report.ts';
import { HANDOVER, handoverFilter, zygoteFilter } from './run/zygote-filter.ts';
import { checkArchitecture, missingSlot, networkFor, withEvents } from './run-program.ts';
import type { RunningProgram, RunRequest } from './run-program.ts';
import { readManifest } from './store/image-manifest.ts';
import { materialiseRootfs } from './store/rootfs-folder.ts';
import { makeSlot } from './store/slot-folder.ts';
import { PARKED_CPU_MS, type WarmKind } from './warm-kind.ts';
import { zygoteLimits, type ZygoteHome } from './zygote-home.ts';

/** A parked cell with what its run needs besides. */
export interface ParkedRun extends Stocked {
  /** Begins the one run; undefined where its words do not fit, and the cell is still to be had. */
  readonly start: (request: RunRequest, file: ProgramFile, how: StartKind) => StartedJob | undefined;
}

export interface StartedJob {
  /**
   * Undefined when the cell had ended in the moment in which it was taken, or before anything of the run was seen outside: then it can
   * be begun again.
   */
  readonly report: Promise<RunReport | undefined>;
  readonly facts: RunningProgram['facts'];
  readonly forward: RunningProgram['forward'];
}

/** What a program of each language is called where a cell's own words are asked for. */
const STAND_IN: Readonly<Record<Language, string>> = { python: 'main.py', node: 'main.js' };

/** Characters of what a program says that cannot wait. */
const LONGEST_REASON = 200;

/** Makes a cell for runs of this kind, by a zygote where that is possible. Throws what `startProgram` would. */
export async function parkRun(
  kind: WarmKind,
  zygotes: ZygoteHome | undefined,
  context: PipelineContext,
): Promise<ParkedRun> {
  const parts = await parkParts(kind, context);
  const { plan, root } = parts;
  return withNetwork(parts, async () => {
    const forked = await zygotes?.fork(berthPlan(plan, kind.request.image.architecture));
    const cell =
      forked ?? (await parkWithSlot(parkedPlan(plan, kind), (index) => makeSlot(context.store, root, index)));
    return stocked({ ...parts, cell });
  });
}

/** The same by a zygote alone; undefined where that gives none. */
export async function forkRun(
  kind: WarmKind,
  zygotes: ZygoteHome,
  context: PipelineContext,
): Promise<ParkedRun | undefined> {
  const parts = await parkParts(kind, context);
  return withNetwork(parts, async () => {
    const cell = await zygotes.fork(berthPlan(parts.plan, kind.request.image.architecture));
    if (cell !== undefined) return stocked({ ...parts, cell });
    await parts.network.close();
    return undefined;
  });
}

interface ParkParts {
  readonly kind: WarmKind;
  readonly plan: LaunchPlan;
  readonly root: string;
  readonly network: OpenNetwork;
  readonly tier: Tier;
}

async function parkParts(kind: WarmKind, context: PipelineContext): Promise<ParkParts> {
  const { image, minimumTier } = kind.request;
  checkArchitecture(image, context);
  const manifest = readManifest(image.manifest);
  const host = await cellHost(minimumTier ?? manifest.sandbox.minimumTier);
  const root = await materialiseRootfs(context.store, image, { progress: context.progress, signal: context.signal });
  const network = await networkFor(kind.request, { manifest, host }, context);
  return withNetwork({ network }, async () => {
    const request = standInRequest(kind);
    const plan = await programPlan({ request, manifest, limits: kind.limits, root, host, files: [], network }, context);
    return { kind, plan, root, network, tier: host.tier };
  });
}

/** Closes it when that fails for which it was opened. */
async function withNetwork<T>({ network }: Pick<ParkParts, 'network'>, make: () => Promise<T>): Promise<T> {
  try {
    return await make();
  } catch (error) {
    await network.close();
    throw error;
  }
}

/** What a zygote is made of, for runs of this kind; undefined where there can be none. */
export async function zygotePlan(kind: WarmKind, context: PipelineContext): Promise<LaunchPlan> {
  const { image, minimumTier } = kind.request;
  const manifest = readManifest(image.manifest);
  const host = await cellHost(minimumTier ?? manifest.sandbox.minimumTier);
  const root = await materialiseRootfs(context.store, image, { progress: context.progress, signal: context.signal });
  const network = await networkFor(kind.request, { manifest, host }, context);
  const parts = { request: standInRequest(kind), manifest, limits: kind.limits, root, host, files: [], network };
  const plan = await programPlan(parts, context);
  const program = zygoteProgram();
  const { syscalls, network: own } = manifest.sandbox;
  const policy = networkPolicy({ syscalls, network: kind.request.network ?? own }, image.architecture);
  return {
    ...plan,
    program,
    arguments: [...withProgram(plan.arguments, kind.language, program.name), ...kind.modules],
    // More than one thread could not be forked.
    environment: { ...plan.environment, OMP_NUM_THREADS: '1', OPENBLAS_NUM_THREADS: '1' },
    filter: zygoteFilter(policy, image.architecture),
    resourceLimits: zygoteLimits(plan.resourceLimits),
  };
}

/**
 * Whether programs of this kind can be forked by a zygote: Python's, in cells with namespaces and control groups of their own, and
 * no proxy. In the host's network the zygote is, too, and packages may use it while it imports them, as they may in the run that
 * imports them itself. What is forked hides from its own user, as long as it does
 * not execute anything: it could not read its own /proc. And no program may have a descriptor of the number by which its filter
 * was handed over.
 */
export async function hasZygote(kind: WarmKind, context: PipelineContext): Promise<boolean> {
  const manifest = readManifest(kind.request.image.manifest);
  const { network = manifest.sandbox.network, minimumTier = manifest.sandbox.minimumTier } = kind.request;
  const host = await cellHost(minimumTier);
  const hasProc = kind.request.proc ?? manifest.sandbox.proc;
  if (kind.language !== 'python' || networkMode(network) === 'proxy' || host.tier !== 'A') return false;
  if (hasProc || kind.limits.openFiles > HANDOVER) return false;
  return (await cellGround(host, kind.limits, context.now)).cgroups !== undefined;
}

/** A cell's own program is forked into it. */
function berthPlan(plan: LaunchPlan, architecture: Architecture): LaunchPlan {
  const { filter, resourceLimits } = plan;
  return {
    ...plan,
    program: undefined,
    filter: handoverFilter(filter, architecture),
    resourceLimits: resourceLimits.map(withParkedTime),
  };
}

function standInRequest({ request, language }: WarmKind): RunRequest {
  const file = { name: STAND_IN[language], content: new Uint8Array() };
  return { ...request, program: { kind: 'file', file }, arguments: [], limits: {}, stdio: 'capture' };
}

/** The same, with the program that waits. What it uses of the processor before the run does not count against the run. */
function parkedPlan(plan: LaunchPlan, { language, modules }: WarmKind): LaunchPlan {
  const program = parkedProgram(language);
  return {
    ...plan,
    program,
    arguments: [...withProgram(plan.arguments, language, program.name), ...modules],
    resourceLimits: plan.resourceLimits.map(withParkedTime),
  };
}

function withParkedTime({ resource, soft, hard }: ResourceLimit): ResourceLimit {
  const more = resource === 'cpu' ? PARKED_CPU_MS / 1000 : 0;
  return { resource, soft: soft + more, hard: hard + more };
}

function withProgram(words: readonly string[], language: Language, name: string): readonly string[] {
  return words.map((word) => (word === programPath(STAND_IN[language]) ? programPath(name) : word));
}

/** In tier C, a slot is made when it is wanted for the first time. */
async function parkWithSlot(plan: LaunchPlan, make: (index: number) => Promise<void>): Promise<ParkedCell> {
  const cell = parkCell(plan, CELL_PATH);
  if (plan.tier !== 'C' || (await cell.ready)) return cell;
  const { facts } = await cell.discard();
  const index = missingSlot(facts, plan);
  if (index === undefined) return cell;
  await make(index);
  return parkWithSlot(plan, make);
}

interface StockedParts extends ParkParts {
  readonly cell: ParkedCell;
}

function stocked(parts: StockedParts): ParkedRun {
  const { cell, network } = parts;
  return {
    ready: cell.ready,
    isWaiting: cell.isWaiting,
    gone: cell.gone,
    discard: async () => {
      try {
        return faultOf(await cell.discard());
      } finally {
        await network.close();
      }
    },
    start: (request, file, how) => startJob(parts, { request, file, how }),
  };
}

interface JobParts {
  readonly request: RunRequest;
  readonly file: ProgramFile;
  readonly how: StartKind;
}

/** Why a cell ended that was to wait; its own words are a guest's, so they are cut and made harmless. */
function faultOf({ facts, stderr }: CellOutcome): string | undefined {
  const said = stderr.toString('utf8').trim().split('\n').at(-1) ?? '';
  if (facts.failure !== undefined)
    return `the step \`${facts.failure.step}\` failed (${errorName(facts.failure.errno)})`;
  if (facts.end === undefined) return undefined;
  return said === ''
    ? `it ended with ${JSON.stringify(facts.end)}`
    : said.slice(0, LONGEST_REASON).replaceAll(/[^ -~]/g, '?');
}

function startJob(parts: StockedParts, { request, file, how }: JobParts): StartedJob | undefined {
  const { kind, cell, network, plan, tier } = parts;
  const { stdio, onOutput, input, cancel } = request;
  if (stdio === 'inherit') return undefined;
  const limits = { ...kind.limits, ...request.limits };
  const job: Job = {
    arguments: [...withProgram(plan.arguments, kind.language, file.name), ...request.arguments],
    environment: cellEnvironment(
      { ...network.variables, ...request.environment },
      availableParallelism(),
      pathVariables(cellPaths(tier, '', undefined)),
    ),
    limits: cellLimits(limits),
    program: file,
  };
  if (!fitsParkedCell(job)) return undefined;
  let isHeard = false;
  const onPiece: typeof onOutput = (stream, bytes) => {
    isHeard = true;
    return onOutput?.(stream, bytes);
  };
  const { outcome, forward } = cell.begin({ job, stdio, onOutput: onPiece, input, signal: cancel });
  const closed = outcome.finally(() => network.close());
  let isForwarded = false;
  const report = closed.then((ended) => {
    const isCancelled = ended.facts.cause === 'cancelled' && (isForwarded || cancel?.aborted === true);
    const isUnseen = !isHeard && plan.network === undefined;
    if (!isCancelled && (!hasBegun(ended) || (isUnseen && isLost(ended)))) return undefined;
    return withEvents(programReport(ended, { request, limits, tier, start: how }), network);
  });
  return {
    report,
    facts: async () => (await outcome).facts,
    forward: (signal) => {
      isForwarded = true;
      forward(signal);
    },
  };
}

/** Its cell was ended from outside, by the end of its zygote's for one: no program can end its first process. */
function isLost({ facts: { failure }, stdout, stderr }: CellOutcome): boolean {
  return failure?.step === 'init-died' && stdout.length === 0 && stderr.length === 0;
}

/** Layers are told of runs that began, even of those that failed. */
function hasBegun({ facts }: CellOutcome): boolean {
  return facts.layers.length > 0;
}
