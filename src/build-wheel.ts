import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { blaming } from './assemble/byte-source.ts';
import { canonicalWheel } from './assemble/canonical-wheel.ts';
import { buildSystem } from './assemble/project-facts.ts';
import { runBuildCell, type BuildCellOutcome } from './build-cell.ts';
import { withBuildRoot } from './build-environment.ts';
import { RootcellarError } from './base/rootcellar-error.ts';
import { formatDuration, formatSize } from './base/units.ts';
import { packSource } from './pack/source-tar.ts';
import type { PipelineContext } from './pipeline-context.ts';
import { printable } from './recipe/quoted-value.ts';
import type { Limits, Recipe } from './recipe/recipe.ts';
import { wheelTags } from './resolve/python-tags.ts';
import type { SourceArtifact } from './resolve/resolution.ts';
import type { WheelJob, WheelOutcome } from './resolve/wheel-builder.ts';
import { driverInput, readDriverAnswer, type DriverAnswer } from './run/wheel-driver.ts';
import { putArtifact } from './store/put-artifact.ts';
import { readSource } from './wheel-sources.ts';

export interface WheelBuild {
  readonly recipe: Recipe;
  readonly job: WheelJob;
  /** In place of the usual ones. */
  readonly limits?: Partial<Limits> | undefined;
}

/** Lines of a backend's output that an error shows; the whole is in a file. */
const SHOWN_LINES = 12;

/**
 * Source + exact build requirements → wheel in canonical form, in the store; or what else the backend wants. All code of the
 * source and of its requirements runs in one cell, which has no network and is gone afterwards.
 * Throws E_WHEEL_BUILD, E_ARTIFACT_INVALID for a hostile source or wheel, E_SANDBOX where there can be no cell.
 */
export async function buildWheel({ recipe, job, limits }: WheelBuild, context: PipelineContext): Promise<WheelOutcome> {
  const { source, environment, known } = job;
  const { architecture, interpreter } = environment;
  const { progress } = context;
  const title = `${source.name} ${source.version}`.trimEnd();
  const tree = await readSource(context.store, source);
  const folder = source.kind === 'git' ? (source.subdirectory ?? '') : '';
  const system = blaming(titleOf(source), () => buildSystem(tree, folder));
  progress({ kind: 'begin', step: 'wheel', title: `build a wheel of ${title}` });
  const outcome = await withBuildRoot({ recipe, environment, requirements: job.requirements }, context, (root) => {
    const input = driverInput({ ...system, folder, known }, packSource(tree));
    const pretend = source.kind === 'git' ? source.tag : undefined;
    const cell = { root, interpreter: interpreter.path, architecture, input, time: tree.time, limits, tag: pretend };
    return runBuildCell(cell, context);
  });
  const answer = await answerOf(outcome, source, context);
  progress({ kind: 'end', step: 'wheel', summary: `${title}, ${formatDuration(outcome.verdict.time.wall_ms)}` });
  if (answer.kind === 'requires') return answer;
  const { pythonVersion, glibc } = { pythonVersion: interpreter.version, glibc: interpreter.glibc };
  const { content, ...wheel } = await canonicalWheel({
    file: answer.file,
    content: answer.content,
    name: source.name,
    version: source.kind === 'git' && source.version === '' ? undefined : source.version,
    tags: new Set(wheelTags({ architecture, pythonVersion, glibc })),
  });
  return { kind: 'wheel', wheel: { ...wheel, ...(await putArtifact(context.store, content)) } };
}

function titleOf(source: SourceArtifact): string {
  return source.kind === 'sdist' ? source.file : `commit ${source.commit} of \`${source.name}\``;
}

async function answerOf(
  { verdict, stdout, stderr }: BuildCellOutcome,
  source: SourceArtifact,
  { store }: PipelineContext,
): Promise<DriverAnswer> {
  const answer = verdict.status === 'ok' ? readDriverAnswer(stdout) : undefined;
  if (answer !== undefined) return answer;
  if (verdict.status === 'internal' || verdict.status === 'rejected') {
    const what = verdict.error === undefined ? '' : `: ${verdict.error.step}: ${verdict.error.message}`;
    throw new RootcellarError('E_SANDBOX', `a cell to build \`${source.name}\` in: could not be made${what}`, {
      hint: 'rootcellar doctor',
    });
  }
  const logs = join(store.home, 'cache', 'build-logs');
  const log = join(logs, `${source.name}-${source.version === '' ? 'git' : source.version}.log`);
  await mkdir(logs, { recursive: true });
  await writeFile(log, stderr, { mode: 0o600 });
  const last = lastLines(stderr);
  const fault = faultOf(verdict);
  throw new RootcellarError(
    'E_WHEEL_BUILD',
    `${titleOf(source)}: no wheel could be built: ${fault}${last === '' ? '' : `\n  ${last}`}`,
    { hint: `${adviceOf(stderr)}see all of its output: less ${log}` },
  );
}

function faultOf({ status, exit_code: exit, signal, limits }: BuildCellOutcome['verdict']): string {
  switch (status) {
    case 'oom':
      return `it needed more than ${formatSize(limits.memoryBytes)} of memory`;
    case 'timeout':
      return `it took longer than ${formatDuration(limits.wallMs)}`;
    case 'cpu_limit':
      return `it used more than ${formatDuration(limits.cpuMs)} of processor time`;
    case 'output_limit':
      return `it wrote more than ${formatSize(limits.outputBytes)}`;
    case 'ok':
      return 'its backend gave something else than a wheel';
    case 'error':
      return exit === 3 ? 'its backend failed' : `the build ended with status ${exit ?? ''}`;
    case 'cancelled':
    case 'denied':
    case 'disk_limit':
    case 'internal':
    case 'rejected':
    case 'signal':
      return signal === null ? `the build ended with \`${status}\`` : `the build was ended by ${signal}`;
  }
}

/** What most builds lack that fail: a compiler, headers, the network. */
function adviceOf(stderr: Buffer): string {
  const text = stderr.subarray(-MOST_SEARCHED).toString('latin1');
  const missing = ADVICE.find(({ pattern }) => pattern.test(text));
  return missing === undefined ? '' : `${missing.hint}; `;
}

const MOST_SEARCHED = 1024 ** 2;

const ADVICE: readonly { readonly pattern: RegExp; readonly hint: string }[] = [
  {
    pattern:
      /command '[\w./-]*g?cc' failed: No such file|[Uu]nable to find .{0,20}compiler|error: command '.*(?:gcc|cc|g\+\+)' failed: No such|No such file or directory: '[\w./-]*(?:gcc|g\+\+|cc)'/,
    hint: 'add `gcc`, `g++`, `libc6-dev` and `python3-dev` to `python.build_packages`',
  },
  { pattern: /fatal error: Python\.h/, hint: 'add `python3-dev` to `python.build_packages`' },
  {
    pattern: /Temporary failure in name resolution|Network is unreachable|\[Errno 1\] Operation not permitted.*socket/,
    hint: 'it wants a network, which builds do not have',
  },
];

function lastLines(stderr: Buffer): string {
  const lines = stderr
    .subarray(-16_384)
    .toString('utf8')
    .split(/[\r\n]+/)
    .map((line) => printable(line.replaceAll('\t', '  ').replaceAll(/\p{Cc}/gu, ' ')).trimEnd())
    .filter((line) => line.trim() !== '');
  return lines
    .slice(-SHOWN_LINES)
    .map((line) => (line.length > 300 ? `${line.slice(0, 300)} …` : line))
    .join('\n  ');
}
