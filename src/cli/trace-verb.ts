import { writeFile } from 'node:fs/promises';
import { RootcellarError } from '../base/rootcellar-error.ts';
import { readBoundedFile } from '../recipe/bounded-file.ts';
import { quotedWord } from '../recipe/quoted-value.ts';
import { withListElements } from '../recipe/recipe-edit.ts';
import { decodeUtf8 } from '../recipe/utf8-text.ts';
import { startProgram } from '../run-program.ts';
import type { RunReport } from '../run/run-report.ts';
import { neededWords, traceAdvice, type NeededCall } from '../run/trace-advice.ts';
import { readManifest } from '../store/image-manifest.ts';
import type { CommandContext } from './command-context.ts';
import type { TraceFlags } from './command-line.ts';
import { isRecipe, namedImage } from './named-image.ts';
import { openRecipe, withPipeline } from './pipeline.ts';
import { readProgram } from './program-file.ts';
import { runSummary } from './run-summary.ts';
import { tableText } from './table-text.ts';

export interface TraceWords {
  readonly image: string;
  /** The program's file, and its arguments. */
  readonly words: readonly string[];
  readonly flags: TraceFlags;
}

/**
 * `rootcellar trace`: one run of a trusted program, in which system calls beyond the profile are let through and recorded;
 * says what the profile lacks. What the program writes goes to stderr.
 */
export async function traceVerb(context: CommandContext, { image: word, words, flags }: TraceWords): Promise<number> {
  const [file, ...rest] = words;
  if (file === undefined) {
    const hint = 'rootcellar trace recipes/mine -- program.py';
    throw new RootcellarError('E_USAGE', 'trace: there is no program to run', { hint });
  }
  if (flags.write === true && !isRecipe(word)) {
    const hint = 'rootcellar trace recipes/mine -- program.py --write';
    throw new RootcellarError('E_USAGE', `--write: ${quotedWord(word)} is no recipe`, { hint });
  }
  const program = await readProgram(file);
  const { image, report, facts } = await withPipeline(context, async (pipeline) => {
    const found = await namedImage(word, pipeline);
    const request = { image: found, program, arguments: rest, limits: {}, stdio: 'capture', isTraced: true } as const;
    const running = await startProgram({ ...request, cancel: context.signal }, pipeline);
    return { image: found, report: await running.report, facts: await running.facts() };
  });
  context.signal.throwIfAborted();
  showRun(report);
  const { sandbox, architecture } = readManifest(image.manifest);
  const needed = traceAdvice({
    calls: facts.traced,
    settings: sandbox.syscalls,
    network: sandbox.network,
    architecture,
  });
  const added = flags.write === true ? await writeWords(word, neededWords(needed)) : [];
  context.reporter.result(adviceText(needed, sandbox.syscalls.profile, added), {
    profile: sandbox.syscalls.profile,
    architecture,
    status: report.status,
    needed: needed.map(({ syscall, nr, count, allow, danger }) => ({ syscall, nr, count, allow, danger })),
    lost: facts.untraced,
    added,
  });
  return 0;
}

/** Its output, and how it ended where that was not well: what it did not come to is not in the trace. */
function showRun(report: RunReport): void {
  const encoding = report.encoding === 'base64' ? 'base64' : 'utf8';
  process.stderr.write(Buffer.from(report.stdout ?? '', encoding));
  process.stderr.write(Buffer.from(report.stderr ?? '', encoding));
  process.stderr.write(runSummary(report));
  if (report.status === 'ok') return;
  process.stderr.write('rootcellar: the program did not end well: calls that it would have made later are not known\n');
}

function adviceText(needed: readonly NeededCall[], profile: string, added: readonly string[]): string {
  if (needed.length === 0) return `nothing beyond the profile \`${profile}\`\n`;
  const rows = needed.map(({ syscall, count, allow, danger }) => [syscall, `${count}`, allow ?? '-', danger ?? '']);
  const table = tableText(['beyond the profile', 'times', 'allow', 'which'], rows);
  const words = neededWords(needed).map((word) => (word.startsWith('@') ? `"${word}"` : word));
  if (added.length > 0) return `${table}added to the recipe: ${added.join(', ')}\n`;
  const line = `sandbox: { syscalls: { profile: ${profile}, allow: [${words.join(', ')}] } }`;
  return words.length === 0 ? table : `${table}${line}\n`;
}

/** Returns what was not there already. */
async function writeWords(word: string, words: readonly string[]): Promise<readonly string[]> {
  const recipe = await openRecipe(word);
  const result = await readBoundedFile(recipe.file, 1024 ** 2);
  const text = result.kind === 'content' ? decodeUtf8(result.content) : undefined;
  const edited = text === undefined ? undefined : withListElements(text, ['sandbox', 'syscalls', 'allow'], words);
  if (edited === undefined) {
    throw new RootcellarError('E_USAGE', `--write: ${quotedWord(recipe.file)} has no plain list to add to`, {
      hint: `write \`sandbox: { syscalls: { allow: [${words.join(', ')}] } }\` by hand`,
    });
  }
  if (edited !== text) await writeFile(recipe.file, edited);
  return words.filter((one) => !recipe.sandbox.syscalls.allow.includes(one));
}
