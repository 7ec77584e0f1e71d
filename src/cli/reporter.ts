import type { Json } from '../base/canonical-json.ts';
import type { Progress } from '../base/progress.ts';
import { RootcellarError } from '../base/rootcellar-error.ts';
import { errorText } from './error-text.ts';

/** How a command speaks: progress and errors for people go to stderr, data to stdout. */
export interface Reporter {
  readonly progress: Progress;
  /** Data: as `text` for people, as one JSON object a line with `--json`. */
  result(text: string, json: { readonly [key: string]: Json | undefined }): void;
  /** Ends the display of progress; must be awaited before anything else is written. */
  close(outcome: 'done' | 'failed'): Promise<void>;
  failure(error: unknown): void;
}

/** The part of a stream that reporters need. */
export interface Screen {
  readonly isTTY?: boolean;
  write(text: string): boolean;
}

export interface ReporterOptions {
  readonly json: boolean;
  readonly quiet: boolean;
  readonly verbose: boolean;
  /** Lines even on a terminal: for commands that do not end. */
  readonly plain?: boolean;
  readonly stdout: Screen;
  readonly stderr: Screen;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** listr2 on a terminal, plain lines in a pipe or under CI, JSON lines with `--json`. */
export async function createReporter(options: ReporterOptions): Promise<Reporter> {
  if (options.json) {
    const { createJsonReporter } = await import('./json-reporter.ts');
    return createJsonReporter(options);
  }
  const plain =
    options.plain === true ||
    !options.stderr.isTTY ||
    options.quiet ||
    options.verbose ||
    isSet(options.environment['CI']);
  if (plain || options.environment['TERM'] === 'dumb') {
    const { createLineReporter } = await import('./line-reporter.ts');
    return createLineReporter(options);
  }
  const { createTerminalReporter } = await import('./terminal-reporter.ts');
  return createTerminalReporter(options);
}

/** What a failure looks like for people. A bug of ours shows its stack: that is what a report of it needs. */
export function failureText(error: unknown): string {
  if (error instanceof RootcellarError) return errorText(error);
  const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return `error: this is a bug in rootcellar, please report it\n${detail}`;
}

function isSet(value: string | undefined): boolean {
  return value !== undefined && value !== '' && value !== 'false' && value !== '0';
}
