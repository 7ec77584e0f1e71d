import { RootcellarError } from './base/rootcellar-error.ts';
import { CELL_PATH, cellHost, runFolder, type CellHost } from './cell-host.ts';
import { openCellNetwork, type OpenNetwork } from './cell-network.ts';
import type { PipelineContext } from './pipeline-context.ts';
import { programReport } from './program-report.ts';
import { programPlan } from './program-plan.ts';
import type { Program } from './program-words.ts';
import { networkMode, type NetworkSettings } from './recipe/network.ts';
import type { Limits, Tier } from './recipe/recipe.ts';
import type { Variables } from './run/cell-environment.ts';
import type { Lookup } from './run/egress-connect.ts';
import { placeInputs, type InputEntry } from './run/input-files.ts';
import { errorName } from './run/kernel-names.ts';
import { launchCell } from './run/launch-cell.ts';
import type { CellOutcome, ForwardedSignal, LaunchRequest, RunningCell } from './run/launch-cell.ts';
import type { OutputListener, StdioMode } from './run/launch-cell.ts';
import type { LaunchPlan } from './run/launch-plan.ts';
import { localEntries } from './run/local-files.ts';
import { networkEnforcement } from './run/network-enforcement.ts';
import { checkDestinations, type OutputRequest } from './run/output-files.ts';
import type { RunReport } from './run/run-report.ts';
import type { CellFacts } from './run/status-reader.ts';
import { readManifest, type ImageManifest } from './store/image-manifest.ts';
import type { Image } from './store/image-record.ts';
import { removalOr } from './store/images.ts';
import { materialiseRootfs } from './store/rootfs-folder.ts';
import { makeSlot } from './store/slot-folder.ts';
import { withStoreUse } from './store/store-use.ts';

export interface RunRequest {
  readonly image: Image;
  readonly program: Program;
  readonly arguments: readonly string[];
  /** In addition to what every cell has. */
  readonly environment?: Variables | undefined;
  /** In place of those of the image's recipe. */
  readonly limits: Partial<Limits>;
  /** In place of the recipe's: the least that a cell may be. */
  readonly minimumTier?: Tier | undefined;
  /** In place of what the image's recipe says. */
  readonly network?: NetworkSettings | undefined;
  /** How a proxy finds the addresses of names; as this machine does when undefined. */
  readonly lookup?: Lookup | undefined;
  /** `capture`: the report holds the output; `stream`: `onOutput` gets it; the program reads `input`. */
  readonly stdio: StdioMode;
  /** With `stdio: 'stream'`. */
  readonly onOutput?: OutputListener | undefined;
  readonly input?: Uint8Array | undefined;
  /** Ends the run, with status `cancelled`. */
  readonly cancel?: AbortSignal | undefined;
  /** Lets through what the image's filter would deny, and records it: for trusted programs only. */
  readonly isTraced?: boolean | undefined;
  /** Placed in the program's working directory, which is /tmp; they count against the limit `tmp`. */
  readonly files?: readonly InputFile[] | undefined;
  /** Taken from there when the run is over, whatever its status is, unless it was cancelled. */
  readonly outputs?: readonly OutputRequest[] | undefined;
  /** Of all outputs together: bytes (the limit `tmp` when undefined), and files and folders (4096). */
  readonly outputLimits?: { readonly bytes?: number; readonly entries?: number } | undefined;
  /** Whether there is a /proc, of the cell's own processes; what the recipe says when undefined. */
  readonly proc?: boolean | undefined;
}

/** A file for a cell: its bytes, or a file or folder of this machine. `path` is relative to /tmp, or absolute beneath it. */
export type InputFile =
  | { readonly path: string; readonly content: Uint8Array; readonly isExecutable?: boolean }
  | { readonly path: string; readonly from: string };

export interface RunningProgram {
  /** Settles when nothing of the run is left. */
  readonly report: Promise<RunReport>;
  /** The same, as the launcher saw it. */
  readonly facts: () => Promise<CellFacts>;
  readonly forward: (signal: ForwardedSignal) => void;
}

/**
 * Image + policy + program → report. The program runs in a cell of its own, which is gone when the report is there.
 * Throws E_SANDBOX where this host can give no cell, and E_IMAGE_NOT_FOUND for an image of another architecture, which it could
 * only emulate, under rules for its own system calls: then nothing was run. How the program fared is told by the report.
 */
export async function startProgram(request: RunRequest, context: PipelineContext): Promise<RunningProgram> {
  const { image, stdio, input, cancel } = request;
  checkArchitecture(image, context);
  const manifest = readManifest(image.manifest);
  const host = await cellHost(request.minimumTier ?? manifest.sandbox.minimumTier);
  const limits = { ...manifest.sandbox.limits, ...request.limits };
  await checkDestinations(request.outputs ?? []);
  const files = placeInputs(await inputEntries(request.files ?? []), limits.tmpBytes);
  const network = await networkFor(request, { manifest, host }, context);
  const start = async (): Promise<RunningCell> => {
    const root = await materialiseRootfs(context.store, image, { progress: context.progress, signal: context.signal });
    const plan = await programPlan({ request, manifest, limits, root, host, files, network }, context);
    const { onOutput, outputs } = request;
    const launch: LaunchRequest = { plan, cellPath: CELL_PATH, stdio, onOutput, outputs, input, signal: cancel };
    return launchWithSlot(launch, (index) => makeSlot(context.store, root, index));
  };
  try {
    const { outcome, forward } = await startWithImage(start, image, context);
    const closed = outcome.finally(() => network.close());
    const report = closed.then((ended) =>
      withEvents(programReport(ended, { request, limits, tier: host.tier }), network),
    );
    return { report, facts: async () => (await outcome).facts, forward };
  } catch (error) {
    await network.close();
    throw error;
  }
}

/**
 * Between the look at an image and the moment in which its cell holds it, it may be removed: then it is laid out once more, unless
 * all of it is gone, which is told.
 */
async function startWithImage(
  start: () => Promise<RunningCell>,
  image: Image,
  { store, signal }: PipelineContext,
): Promise<RunningCell> {
  const startOrTell = (): Promise<RunningCell> =>
    start().catch((error: unknown) => {
      throw removalOr(store, image, error);
    });
  let cell = await startOrTell();
  const again = async (): Promise<CellOutcome> => {
    const outcome = await cell.outcome;
    if (outcome.facts.failure?.step !== 'image-lock') return outcome;
    // Until who removes images has done so.
    await withStoreUse(store, () => Promise.resolve(), { signal });
    cell = await startOrTell();
    return cell.outcome;
  };
  return { outcome: again(), forward: (name) => cell.forward(name) };
}

/** What a run's network is opened by. */
export interface NetworkParts {
  readonly manifest: ImageManifest;
  readonly host: CellHost;
}

/** What the run may reach, by the request or else the image's recipe. */
export function networkFor(
  request: Pick<RunRequest, 'network' | 'lookup'>,
  parts: NetworkParts,
  { environment }: PipelineContext,
): Promise<OpenNetwork> {
  const network = request.network ?? parts.manifest.sandbox.network;
  const { tier, landlock } = parts.host;
  const enforcement = networkEnforcement({ tier, mode: networkMode(network), landlock });
  return openCellNetwork({ network, enforcement, runFolder: runFolder(), environment, lookup: request.lookup });
}

/** A report with what the network saw of the run. */
export function withEvents(report: RunReport, network: OpenNetwork): RunReport {
  return { ...report, events: [...report.events, ...network.events()] };
}

/** A slot is made when it is wanted for the first time: only the launcher knows which is free. */
function launchWithSlot(request: LaunchRequest, make: (index: number) => Promise<void>): RunningCell {
  let cell = launchCell(request);
  const again = async (): Promise<CellOutcome> => {
    const outcome = await cell.outcome;
    const index = missingSlot(outcome.facts, request.plan);
    if (index === undefined) return outcome;
    await make(index);
    cell = launchCell(request);
    // Among many at once, another may have been quicker to take the one that is there now.
    return again();
  };
  return { outcome: again(), forward: (signal) => cell.forward(signal) };
}

/** The slot that a cell of tier C wanted and that is not there yet. */
export function missingSlot({ failure, uid }: CellFacts, { tier, identities }: LaunchPlan): number | undefined {
  const isMissing = tier === 'C' && failure?.step === 'place' && errorName(failure.errno) === 'ENOENT';
  return isMissing && uid !== undefined ? uid - identities.firstUid : undefined;
}

/** Throws E_IMAGE_NOT_FOUND for an image of another architecture than this machine's. */
export function checkArchitecture({ name, architecture }: Image, { hostArchitecture: host }: PipelineContext): void {
  if (architecture === host) return;
  throw new RootcellarError(
    'E_IMAGE_NOT_FOUND',
    `image \`${name}\`: is for ${architecture}, and this machine is ${host}`,
    {
      hint: `rootcellar build RECIPE --arch ${host}`,
    },
  );
}

async function inputEntries(files: readonly InputFile[]): Promise<readonly InputEntry[]> {
  const entries: InputEntry[] = [];
  for (const file of files) {
    if ('from' in file) entries.push(...(await localEntries(file.from, file.path)));
    else entries.push({ path: file.path, content: file.content, isExecutable: file.isExecutable === true });
  }
  return entries;
}
