import { z } from 'zod';
import { RootcellarError } from '../base/rootcellar-error.ts';
import type { RunReport } from '../run/run-report.ts';
import type { RunAnswer } from '../serve/run-body.ts';

/** The report of a run, and what came with it. */
export interface RunResult extends RunReport {
  /** Milliseconds that the request has waited before its program was started. */
  readonly queue_ms: number;
  /** The bytes of each file that `outputs` asked for and that was there, by path; `files` says what became of the others. */
  readonly outputs: ReadonlyMap<string, Uint8Array>;
}

/** As much as tells a service's answer from somebody else's; newer services may say more. */
const ANSWER: z.ZodType<RunAnswer> = z.object({
  report: z.custom<RunReport>(
    (value) => z.object({ status: z.string(), events: z.array(z.unknown()) }).safeParse(value).success,
  ),
  queue_ms: z.number(),
  files: z.array(z.object({ path: z.string(), base64: z.string() })).exactOptional(),
});

/** Throws E_SERVICE_ANSWER where `text` is no answer of `/v1/run`. */
export function runResult(text: string): RunResult {
  const answer = ANSWER.safeParse(jsonOf(text));
  if (!answer.success) throw foreignAnswer('has no report in it', { cause: answer.error });
  const { report, queue_ms: queueMs, files = [] } = answer.data;
  const outputs = new Map(files.map(({ path, base64 }) => [path, new Uint8Array(Buffer.from(base64, 'base64'))]));
  return { ...report, queue_ms: queueMs, outputs };
}

/** Undefined where `text` is no JSON. */
export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Somebody else answers at the address, such as a proxy, or a service of another age. */
export function foreignAnswer(fault: string, details: { readonly cause?: unknown } = {}): RootcellarError {
  return new RootcellarError('E_SERVICE_ANSWER', `the answer of the service: ${fault}`, {
    hint: 'check that `url` is that of `rootcellar serve`',
    ...details,
  });
}
