import { randomUUID } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { cellGround, runFolder, type CellHost, type Ground } from './cell-host.ts';
import type { OpenNetwork } from './cell-network.ts';
import { startFromOutside } from './image-start.ts';
import type { PipelineContext } from './pipeline-context.ts';
import { networkMode } from './recipe/network.ts';
import type { Limits, Tier } from './recipe/recipe.ts';
import { cellEnvironment } from './run/cell-environment.ts';
import { cellLimits, resourceLimits } from './run/cell-limits.ts';
import { cellPaths, pathVariables } from './run/cell-start.ts';
import { compileFilter } from './run/filter-compiler.ts';
import { heardFilter } from './run/heard-filter.ts';
import type { PlacedFile } from './run/input-files.ts';
import type { LaunchPlan, OutputPlan } from './run/launch-plan.ts';
import { placedPolicy } from './run/placed-policy.ts';
import { networkPolicy } from './run/network-policy.ts';
import { programWords } from './program-words.ts';
import type { RunRequest } from './run-program.ts';
import { tmpNames, tmpPathText } from './run/tmp-path.ts';
import type { ImageManifest } from './store/image-manifest.ts';
import { useFile } from './store/image-use.ts';
import { slotsFolder } from './store/slot-folder.ts';
import type { Store } from './store/store.ts';

/** What a plan is made from. */
export interface PlanParts {
  readonly request: RunRequest;
  readonly manifest: ImageManifest;
  readonly limits: Limits;
  /** The laid out root filesystem, absolute. */
  readonly root: string;
  readonly host: CellHost;
  readonly files: readonly PlacedFile[];
  readonly network: OpenNetwork;
}

/** Image, request and host → what the launcher has to do. Throws E_SANDBOX, E_POLICY, E_PROGRAM_NOT_FOUND. */
export async function programPlan(parts: PlanParts, { store, now }: PipelineContext): Promise<LaunchPlan> {
  const { request, manifest, limits, root, host, files, network } = parts;
  const ground = await cellGround(host, limits, now);
  const place = placeFor(host.tier, store, root);
  const paths = cellPaths(host.tier, root, place);
  const words = await startWords(parts, paths.program, store);
  return {
    ...ground,
    place,
    root,
    imageLock: useFile(store, request.image),
    arguments: [...words, ...request.arguments],
    environment: cellEnvironment(
      { ...network.variables, ...request.environment },
      availableParallelism(),
      pathVariables(paths),
    ),
    workingDirectory: paths.tmp,
    hostname: 'cell',
    program: request.program.kind === 'file' ? request.program.file : undefined,
    limits: cellLimits(limits),
    resourceLimits: resourceLimits(limits, ground),
    network: network.plan,
    filter: filterFor(parts, ground),
    isTraced: request.isTraced,
    files: files.length === 0 ? undefined : files,
    outputs: outputPlan(request, limits),
    hasProc: request.proc ?? manifest.sandbox.proc,
  };
}

/** Of all that is taken out of one run, so that a report stays readable. */
const MOST_OUTPUT_ENTRIES = 4096;

function outputPlan({ outputs = [], outputLimits }: RunRequest, limits: Limits): OutputPlan | undefined {
  if (outputs.length === 0) return undefined;
  return {
    paths: outputs.map(({ path }) => tmpPathText(tmpNames('output', path))),
    mostBytes: outputLimits?.bytes ?? limits.tmpBytes,
    mostEntries: outputLimits?.entries ?? MOST_OUTPUT_ENTRIES,
  };
}

function placeFor(tier: Tier, store: Store, root: string): string | undefined {
  if (tier === 'C') return slotsFolder(store, root);
  return tier === 'D' ? join(runFolder(), `run-${randomUUID()}`) : undefined;
}

async function startWords(
  { request, manifest, root, host }: PlanParts,
  folder: string,
  store: Store,
): Promise<readonly string[]> {
  const { image, program } = request;
  const [interpreter = '', ...words] = await programWords({ image, manifest, program, folder }, store);
  const start = host.tier === 'D' ? await startFromOutside(store, image, { root, interpreter }) : [interpreter];
  return [...start, ...words];
}

/** The image's, unless this run has another network than it was made for, or a cell without namespaces or control groups. */
function filterFor({ request, manifest, host }: PlanParts, { cgroups }: Ground): Uint8Array {
  const { filter, sandbox, architecture } = manifest;
  const { tier, landlock } = host;
  const network = request.network ?? sandbox.network;
  const mode = networkMode(network);
  const isCounted = cgroups !== undefined;
  const isImages = isCounted && mode === networkMode(sandbox.network) && (tier === 'A' || tier === 'B');
  if (isImages) return heardFilter(Buffer.from(filter, 'base64'));
  const policy = networkPolicy({ syscalls: sandbox.syscalls, network }, architecture);
  const placed = placedPolicy(policy, { architecture, tier, landlock, hasNetwork: mode !== 'none', isCounted });
  return heardFilter(compileFilter(placed, architecture).program);
}
