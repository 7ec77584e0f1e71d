import { availableParallelism } from 'node:os';
import { RootcellarError } from './base/rootcellar-error.ts';
import { CELL_PATH, cellCgroups, cellIdentities, checkPrivilege } from './cell-host.ts';
import type { PipelineContext } from './pipeline-context.ts';
import type { Limits } from './recipe/recipe.ts';
import type { Interpreter } from './resolve/resolution.ts';
import { cellEnvironment, type Variables } from './run/cell-environment.ts';
import type { CgroupPlan } from './run/cgroup-plan.ts';
import { cellLimits, resourceLimits } from './run/cell-limits.ts';
import { launchCell, type CellOutcome, type ForwardedSignal } from './run/launch-cell.ts';
import { programPath, type LaunchPlan, type ProgramFile } from './run/launch-plan.ts';
import type { RunReport } from './run/run-report.ts';
import type { CellFacts } from './run/status-reader.ts';
import { syscallName } from './run/syscall-tables.ts';
import { judgeRun } from './run/verdict.ts';
import { readManifest, type ImageManifest } from './store/image-manifest.ts';
import type { Image } from './store/image-record.ts';
import { materialiseRootfs } from './store/rootfs-folder.ts';

/** What is to be run: a file, text given on the command line, or what comes on stdin. */
export type Program =
  | { readonly kind: 'file'; readonly file: ProgramFile }
  | { readonly kind: 'code'; readonly code: string }
  | { readonly kind: 'stdin' };

export interface RunRequest {
  readonly image: Image;
  readonly program: Program;
  readonly arguments: readonly string[];
  /** In addition to what every cell has. */
  readonly environment?: Variables | undefined;
  /** In place of those of the image's recipe. */
  readonly limits: Partial<Limits>;
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
  checkPrivilege('rootcellar run …');
  const manifest = readManifest(image.manifest);
  const limits = { ...manifest.sandbox.limits, ...request.limits };
  const root = await materialiseRootfs(context.store, image, { progress: context.progress, signal: context.signal });
  const cgroups = await cellCgroups(limits, context.now);
  const plan = launchPlan({ request, manifest, limits, root, cgroups });
  const { outcome, forward } = launchCell({ plan, cellPath: CELL_PATH, stdio, input, signal: cancel });
  const report = outcome.then((ended) => reportOf(ended, request, limits));
  return { report, facts: async () => (await outcome).facts, forward };
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

interface PlanParts {
  readonly request: RunRequest;
  readonly manifest: ImageManifest;
  readonly limits: Limits;
  readonly root: string;
  readonly cgroups: CgroupPlan;
}

function launchPlan({ request, manifest, limits, root, cgroups }: PlanParts): LaunchPlan {
  const { program } = request;
  return {
    root,
    arguments: [...interpreterWords(manifest, program), ...request.arguments],
    environment: cellEnvironment(request.environment ?? {}, availableParallelism()),
    workingDirectory: '/tmp',
    hostname: 'cell',
    program: program.kind === 'file' ? program.file : undefined,
    identities: cellIdentities(),
    limits: cellLimits(limits),
    resourceLimits: resourceLimits(limits),
    cgroups,
    filter: Buffer.from(manifest.filter, 'base64'),
    isTraced: request.isTraced,
  };
}

/** Isolated (`-I`): no environment, no user site, no folder of the program on the module path. */
function interpreterWords({ name, interpreter }: ImageManifest, program: Program): readonly string[] {
  const words = [interpreterPath(name, interpreter), '-I', '-B'];
  if (program.kind === 'stdin') return [...words, '-'];
  return program.kind === 'code' ? [...words, '-c', program.code] : [...words, programPath(program.file.name)];
}

function interpreterPath(image: string, interpreter: Interpreter | undefined): string {
  if (interpreter !== undefined) return interpreter.path;
  throw new RootcellarError('E_PROGRAM_NOT_FOUND', `image \`${image}\`: has no Python to run a program with`, {
    hint: 'add `python3` to `base.debian.packages` in its recipe, and build it again',
  });
}

function reportOf({ facts, stdout, stderr }: CellOutcome, request: RunRequest, limits: Limits): RunReport {
  const verdict = judgeRun({ facts, limits, syscallName });
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
