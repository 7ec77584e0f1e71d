import { z } from 'zod';
import { ERROR_CODES, RootcellarError, type ErrorCode, type Problem } from '../base/rootcellar-error.ts';
import { foreignAnswer, jsonOf } from './run-result.ts';

const ITEM = z.object({ detail: z.string(), hint: z.string().optional() });
const PROBLEM = ITEM.extend({ code: z.string(), errors: z.array(ITEM).optional() });

/** Why nothing was run, in the service's words; in ours where it is not the service that refuses. */
export function refusalOf(status: number, text: string): RootcellarError {
  const problem = PROBLEM.safeParse(jsonOf(text));
  if (!problem.success) return foreignAnswer(`has status ${status}, and nothing that says why`);
  const { code: word, detail, hint, errors = [] } = problem.data;
  // What is the service's own fault has a code that no caller could do anything about.
  const code = isErrorCode(word) ? word : 'E_SERVICE_FAILED';
  const problems = errors.map((item): Problem => ({ code, message: item.detail, hint: item.hint }));
  return problems.length > 0 ? RootcellarError.ofProblems(problems) : new RootcellarError(code, detail, { hint });
}

/** Milliseconds; undefined where the request may not be sent again. Source: RFC 9110, 10.2.3. */
export function retryAfterMs({ status, headers }: Response, now: number): number | undefined {
  const text = headers.get('retry-after');
  if (text === null || (status !== 429 && status !== 503)) return undefined;
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - now;
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}

function isErrorCode(word: string): word is ErrorCode {
  return Object.hasOwn(ERROR_CODES, word);
}
