import { addAbortSignal } from 'node:stream';
import { canonicalJson, readableJson, type Json } from '../base/canonical-json.ts';
import { RootcellarError } from '../base/rootcellar-error.ts';
import { formatSize } from '../base/units.ts';
import type { PipelineContext } from '../pipeline-context.ts';
import { locateRecipe } from '../recipe/recipe-location.ts';
import type { Limits } from '../recipe/recipe.ts';
import { parseVariable } from '../run/cell-environment.ts';
import type { ForwardedSignal } from '../run/launch-cell.ts';
import type { RunReport } from '../run/run-report.ts';
import type { Program } from '../program-words.ts';
import { startProgram, type RunningProgram } from '../run-program.ts';
import { readManifest } from '../store/image-manifest.ts';
import type { Image } from '../store/image-record.ts';
import type { CommandContext, CommonFlags } from './command-context.ts';
import type { RunFlags } from './command-line.ts';
import { tierOf } from './minimum-tier.ts';
import { isRecipe, namedImage } from './named-image.ts';
import { withPipeline } from './pipeline.ts';
import { networkSetting } from './network-flags.ts';
import { warnOfImage, warnOfRecipe } from './policy-warnings.ts';
import { LARGEST_INPUT, readProgram } from './program-file.ts';
import { openReport, type ReportFile } from './report-file.ts';
import { fileOf, outputOf } from './run-files.ts';
import { failureText, lossText, runSummary, runStatus } from './run-summary.ts';

export interface RunWords {
  readonly image: string;
  /** The program and its arguments; only arguments when `-c` gives the program. */
  readonly words: readonly string[];
  readonly flags: RunFlags & CommonFlags;
}

/** `rootcellar run`. The exit status is the program's own, or tells how it was ended. */
export async function runProgramVerb(context: CommandContext, { image, words, flags }: RunWords): Promise<number> {
  const { program, rest } = await programOf(words, flags);
  const reportFile = flags.report === undefined ? undefined : await openReport(flags.report);
  try {
    return await runAndTell(context, { image, flags, program, rest, reportFile });
  } finally {
    await reportFile?.close();
  }
}

interface PreparedRun extends Pick<RunWords, 'image' | 'flags'> {
  readonly program: Program;
  readonly rest: readonly string[];
  readonly reportFile: ReportFile | undefined;
}

async function runAndTell(context: CommandContext, prepared: PreparedRun): Promise<number> {
  const { image, flags, program, rest, reportFile } = prepared;
  const limits = await limitsOf(flags);
  // Before an image is built in vain.
  networkSetting(flags, 'none');
  const environment = Object.fromEntries((flags.env ?? []).map(parseVariable));
  const files = flags.file?.map(fileOf);
  const outputs = flags.out === undefined ? undefined : await Promise.all(flags.out.map(outputOf));
  const captures = flags.json === true;
  const { report, lastSignal } = await withPipeline(context, async (pipeline) => {
    const found = await namedImage(image, captures ? quiet(pipeline) : pipeline);
    await warn(image, found, pipeline);
    const input = captures ? await readInput(process.stdin, context.signal) : undefined;
    context.signal.throwIfAborted();
    const cancel = new AbortController();
    const stop = (): void => cancel.abort();
    context.signal.addEventListener('abort', stop);
    const stdio = captures ? 'capture' : 'inherit';
    const request = {
      image: found,
      program,
      arguments: rest,
      environment,
      limits,
      minimumTier: tierOf(flags),
      network: networkSetting(flags, readManifest(found.manifest).sandbox.network),
      stdio,
      input,
      cancel: cancel.signal,
      files,
      outputs,
      proc: flags.proc,
    } as const;
    const running = await startProgram(request, captures ? quiet(pipeline) : pipeline);
    context.signal.throwIfAborted();
    context.signal.removeEventListener('abort', stop);
    return forwardingSignals(running, cancel);
  });
  await reportFile?.write(readableJson(reportJson(report), 3));
  if (captures) process.stdout.write(`${canonicalJson(reportJson(report))}\n`);
  else process.stderr.write(flags.quiet === true ? failureText(report.error) + lossText(report) : runSummary(report));
  return runStatus(report, lastSignal);
}

/** Of what the image's settings allow and should not; of a recipe, the place is told too. */
async function warn(word: string, { name, manifest }: Image, { progress }: PipelineContext): Promise<void> {
  const { sandbox } = readManifest(manifest);
  if (!isRecipe(word)) return warnOfImage(name, sandbox, progress);
  const { file } = await locateRecipe(word);
  await warnOfRecipe({ file, sandbox }, progress);
}

/** With `--json`, stdout holds the report alone; only warnings may come before it. */
function quiet(pipeline: PipelineContext): PipelineContext {
  return { ...pipeline, progress: (event) => (event.kind === 'warning' ? pipeline.progress(event) : undefined) };
}

async function programOf(
  words: readonly string[],
  { c: code }: RunFlags,
): Promise<{ readonly program: Program; readonly rest: readonly string[] }> {
  if (code !== undefined) return { program: { kind: 'code', code }, rest: words };
  const [path, ...rest] = words;
  if (path === undefined) {
    throw new RootcellarError('E_USAGE', 'run: there is no program to run', {
      hint: 'rootcellar run python -- hello.py, or rootcellar run python -c "print(1)"',
    });
  }
  if (path === '-') return { program: { kind: 'stdin' }, rest };
  return { program: await readProgram(path), rest };
}

async function limitsOf({ limit }: RunFlags): Promise<Partial<Limits>> {
  if (limit === undefined) return {};
  const { parseLimitSetting } = await import('../recipe/limit-setting.ts');
  return Object.assign({}, ...limit.map(parseLimitSetting));
}

/** A terminal is not waited for: with `--json` there is nobody who would type. */
async function readInput(stream: NodeJS.ReadStream, signal: AbortSignal): Promise<Uint8Array | undefined> {
  if (stream.isTTY) return undefined;
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of addAbortSignal(signal, stream)) {
    const bytes = Buffer.from(chunk);
    chunks.push(bytes);
    size += bytes.length;
    if (size > LARGEST_INPUT) {
      const message = `stdin: is larger than ${formatSize(LARGEST_INPUT)}, the most that --json takes`;
      throw new RootcellarError('E_USAGE', message, { hint: 'leave --json out, and use --report FILE' });
    }
  }
  return Buffer.concat(chunks);
}

const FORWARDED: readonly ForwardedSignal[] = ['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM', 'SIGUSR1', 'SIGUSR2'];

/** Signals are the program's while it runs; the same one again ends the run. */
async function forwardingSignals(
  { forward, report }: RunningProgram,
  cancel: AbortController,
): Promise<{ readonly report: RunReport; readonly lastSignal: string | undefined }> {
  const seen = new Set<string>();
  const handlers = FORWARDED.map((name) => {
    const handler = (): void => {
      if (seen.has(name) && name !== 'SIGUSR1' && name !== 'SIGUSR2') cancel.abort();
      seen.add(name);
      forward(name);
    };
    process.on(name, handler);
    return { name, handler };
  });
  try {
    return { report: await report, lastSignal: [...seen].at(-1) };
  } finally {
    for (const { name, handler } of handlers) process.off(name, handler);
  }
}

/** A report is JSON by its definition; this makes that known to the compiler. */
function reportJson(report: RunReport): Json {
  const plain: Json = JSON.parse(JSON.stringify(report));
  return plain;
}
