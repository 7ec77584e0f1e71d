import { RootcellarError } from './base/rootcellar-error.ts';
import { CELL_PATH, cellHost } from './cell-host.ts';
import type { PipelineContext } from './pipeline-context.ts';
import { programPlan } from './program-plan.ts';
import type { Program } from './program-words.ts';
import type { Limits, Tier } from './recipe/recipe.ts';
import type { Variables } from './run/cell-environment.ts';
import { errorName } from './run/kernel-names.ts';
import { launchCell } from './run/launch-cell.ts';
import type { CellOutcome, ForwardedSignal, LaunchRequest, RunningCell } from './run/launch-cell.ts';
import type { LaunchPlan } from './run/launch-plan.ts';
import type { RunReport } from './run/run-report.ts';
import type { CellFacts } from './run/status-reader.ts';
import { syscallName } from './run/syscall-tables.ts';
import { judgeRun } from './run/verdict.ts';
import { readManifest } from './store/image-manifest.ts';
import type { Image } from './store/image-record.ts';
import { materialiseRootfs } from './store/rootfs-folder.ts';
import { makeSlot } from './store/slot-folder.ts';

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
  /** `capture`: the report holds the output; the program reads `input`. */
  readonly stdio: 'inherit' | 'capture';
  readonly input?: Uint8Array | undefined;
  /** Ends the run, with status `cancelled`. */
  readonly cancel?: AbortSignal | undefined;
  /** Lets through what the image's filter would deny, and records it: for trusted programs only. */
  readonly isTraced?: boolean | undefined;
}

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
  const root = await materialiseRootfs(context.store, image, { progress: context.progress, signal: context.signal });
  const plan = await programPlan({ request, manifest, limits, root, host }, context);
  const launch: LaunchRequest = { plan, cellPath: CELL_PATH, stdio, input, signal: cancel };
  const { outcome, forward } = launchWithSlot(launch, (index) => makeSlot(context.store, root, index));
  const report = outcome.then((ended) => reportOf(ended, { request, limits, tier: host.tier }));
  return { report, facts: async () => (await outcome).facts, forward };
}

/** A slot is made when it is wanted for the first time: only the launcher knows which is free. */
function launchWithSlot(request: LaunchRequest, make: (index: number) => Promise<void>): RunningCell {
  let cell = launchCell(request);
  const again = async (): Promise<CellOutcome> => {
    const first = await cell.outcome;
    const index = missingSlot(first.facts, request.plan);
    if (index === undefined) return first;
    await make(index);
    cell = launchCell(request);
    return cell.outcome;
  };
  return { outcome: again(), forward: (signal) => cell.forward(signal) };
}

function missingSlot({ failure, uid }: CellFacts, { tier, identities }: LaunchPlan): number | undefined {
  const isMissing = tier === 'C' && failure?.step === 'place' && errorName(failure.errno) === 'ENOENT';
  return isMissing && uid !== undefined ? uid - identities.firstUid : undefined;
}

function checkArchitecture({ name, architecture }: Image, { hostArchitecture: host }: PipelineContext): void {
  if (architecture === host) return;
  throw new RootcellarError(
    'E_IMAGE_NOT_FOUND',
    `image \`${name}\`: is for ${architecture}, and this machine is ${host}`,
    {
      hint: `rootcellar build RECIPE --arch ${host}`,
    },
  );
}

interface ReportParts {
  readonly request: RunRequest;
  readonly limits: Limits;
  readonly tier: Tier;
}

function reportOf({ facts, stdout, stderr }: CellOutcome, { request, limits, tier }: ReportParts): RunReport {
  const verdict = judgeRun({ facts, limits, tier, syscallName });
  const image = { name: request.image.name, digest: request.image.diffId };
  return request.stdio === 'inherit' ? { ...verdict, image } : { ...verdict, image, ...capturedText(stdout, stderr) };
}

/** Text where both are UTF-8, else base64 of both: nothing is lost or replaced. */
function capturedText(stdout: Buffer, stderr: Buffer): Pick<RunReport, 'stdout' | 'stderr' | 'encoding'> {
  const isText = [stdout, stderr].every((bytes) => Buffer.from(bytes.toString('utf8'), 'utf8').equals(bytes));
  const encoding = isText ? 'utf-8' : 'base64';
  const nodeEncoding = isText ? 'utf8' : 'base64';
  return { stdout: stdout.toString(nodeEncoding), stderr: stderr.toString(nodeEncoding), encoding };
}
