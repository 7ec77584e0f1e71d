import { canonicalJson, type Json } from '../base/canonical-json.ts';
import type { ProgressEvent } from '../base/progress.ts';
import type { Problem } from '../base/rootcellar-error.ts';
import { RootcellarError } from '../base/rootcellar-error.ts';
import type { Reporter, ReporterOptions } from './reporter.ts';

/** One object a line on stdout: progress events, results and errors, told apart by `event`. */
export function createJsonReporter(options: ReporterOptions): Reporter {
  const say = (value: { readonly [key: string]: Json | undefined }): void =>
    void options.stdout.write(`${canonicalJson(value)}\n`);
  return {
    progress: (event) => {
      if (!options.quiet) say(eventJson(event));
    },
    result: (_text, json) => say({ event: 'result', ...json }),
    close: () => Promise.resolve(),
    failure: (error) => say({ event: 'error', problems: problemsOf(error) }),
  };
}

function eventJson(event: ProgressEvent): { readonly [key: string]: Json | undefined } {
  const { kind, ...rest } = event;
  return { event: kind, ...withoutAmounts(rest) };
}

/** Amounts are plain objects of numbers, which TypeScript cannot see in an interface without an index signature. */
function withoutAmounts(event: object): { readonly [key: string]: Json | undefined } {
  return Object.fromEntries(
    Object.entries(event).map(([key, value]: [string, Json]) => [
      key,
      typeof value === 'object' ? Object.fromEntries(Object.entries(value ?? {})) : value,
    ]),
  );
}

function problemsOf(error: unknown): Json {
  if (!(error instanceof RootcellarError)) return [{ code: 'E_BUG', message: String(error) }];
  return error.problems.map(problemJson);
}

function problemJson(problem: Problem): Json {
  const { place } = problem;
  return {
    code: problem.code,
    message: problem.message,
    hint: problem.hint,
    place: place === undefined ? undefined : { file: place.file, line: place.line, column: place.column },
  };
}
