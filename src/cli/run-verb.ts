import { readFile, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { canonicalJson, readableJson, type Json } from '../base/canonical-json.ts';
import { isErrno, RootcellarError } from '../base/rootcellar-error.ts';
import type { PipelineContext } from '../pipeline-context.ts';
import type { Limits } from '../recipe/recipe.ts';
import type { ForwardedSignal } from '../run/launch-cell.ts';
import type { RunReport } from '../run/run-report.ts';
import { startProgram, type Program, type RunningProgram } from '../run-program.ts';
import type { CommandContext, CommonFlags } from './command-context.ts';
import type { RunFlags } from './command-line.ts';
import { namedImage } from './named-image.ts';
import { withPipeline } from './pipeline.ts';
import { runSummary, runStatus } from './run-summary.ts';

export interface RunWords {
  readonly image: string;
  /** The program and its arguments; only arguments when `-c` gives the program. */
  readonly words: readonly string[];
  readonly flags: RunFlags & CommonFlags;
}

/** `rootcellar run`. The exit status is the program's own, or tells how it was ended. */
export async function runProgramVerb(context: CommandContext, { image, words, flags }: RunWords): Promise<number> {
  const { program, rest } = await programOf(words, flags);
  const limits = await limitsOf(flags);
  const captures = flags.json === true;
  const report = await withPipeline(context, async (pipeline) => {
    const found = await namedImage(image, captures ? quiet(pipeline) : pipeline);
    const input = captures ? await readAll(process.stdin) : undefined;
    const cancel = new AbortController();
    const stdio = captures ? 'capture' : 'inherit';
    const request = { image: found, program, arguments: rest, limits, stdio, input, cancel: cancel.signal } as const;
    const running = await startProgram(request, captures ? quiet(pipeline) : pipeline);
    return forwardingSignals(running, cancel, () => running.report);
  });
  if (flags.report !== undefined) await writeReport(flags.report, report);
  if (captures) process.stdout.write(`${canonicalJson(reportJson(report))}\n`);
  else if (flags.quiet !== true) process.stderr.write(runSummary(report));
  return runStatus(report);
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
  return { program: { kind: 'file', file: { name: basename(path), content: await readProgram(path) } }, rest };
}

async function readProgram(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (cause) {
    const known = [
      ['ENOENT', 'there is no such file'],
      ['EISDIR', 'is a folder'],
      ['EACCES', 'may not be read'],
    ] as const;
    const fault = known.find(([name]) => isErrno(cause, name))?.[1];
    if (fault === undefined) throw cause;
    throw new RootcellarError('E_PROGRAM_NOT_FOUND', `\`${path}\`: ${fault}`, {
      hint: 'rootcellar run IMAGE -- FILE takes a file of this machine; rootcellar run IMAGE -c CODE takes text',
      cause,
    });
  }
}

async function limitsOf({ limit }: RunFlags): Promise<Partial<Limits>> {
  if (limit === undefined) return {};
  const { parseLimitSetting } = await import('../recipe/limit-setting.ts');
  return Object.assign({}, ...limit.map(parseLimitSetting));
}

/** A terminal is not waited for: with `--json` there is nobody who would type. */
async function readAll(stream: NodeJS.ReadStream): Promise<Uint8Array | undefined> {
  if (stream.isTTY) return undefined;
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

const FORWARDED: readonly ForwardedSignal[] = ['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM', 'SIGUSR1', 'SIGUSR2'];

/** Signals are the program's while it runs; the same one again ends the run. */
async function forwardingSignals<T>(
  { forward }: RunningProgram,
  cancel: AbortController,
  action: () => Promise<T>,
): Promise<T> {
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
    return await action();
  } finally {
    for (const { name, handler } of handlers) process.off(name, handler);
  }
}

async function writeReport(path: string, report: RunReport): Promise<void> {
  try {
    await writeFile(path, readableJson(reportJson(report), 3));
  } catch (cause) {
    throw new RootcellarError('E_USAGE', `--report: \`${path}\` cannot be written`, {
      hint: 'choose another file',
      cause,
    });
  }
}

/** A report is JSON by its definition; this makes that known to the compiler. */
function reportJson(report: RunReport): Json {
  const plain: Json = JSON.parse(JSON.stringify(report));
  return plain;
}
