import type { z } from 'zod';
import { RootcellarError, type ErrorCode, type Problem } from '../base/rootcellar-error.ts';
import type { ProblemBody, ProblemItem } from './run-body.ts';

/** Of errors that are the client's affair, or that pass; all others are the service's own: 500. */
const STATUSES: Readonly<Partial<Record<ErrorCode, number>>> = {
  E_REQUEST: 400,
  E_USAGE: 400,
  E_POLICY: 400,
  E_PROGRAM_NOT_FOUND: 400,
  E_UNAUTHORIZED: 401,
  E_IMAGE_NOT_FOUND: 404,
  E_IDEMPOTENCY: 409,
  E_TOO_LARGE: 413,
  E_BUSY: 429,
  E_NOT_READY: 503,
  E_DRAINING: 503,
};

const TITLES: ReadonlyMap<number, string> = new Map([
  [400, 'Bad Request'],
  [401, 'Unauthorized'],
  [404, 'Not Found'],
  [409, 'Conflict'],
  [413, 'Content Too Large'],
  [429, 'Too Many Requests'],
  [500, 'Internal Server Error'],
  [503, 'Service Unavailable'],
]);

function statusOf(error: unknown): number {
  return error instanceof RootcellarError ? (STATUSES[error.code] ?? 500) : 500;
}

/** Whether it is worth sending the same request again. */
export function passes(error: unknown): boolean {
  const status = statusOf(error);
  return status === 429 || status === 503;
}

/** What a client is told. Of a bug of ours it learns that there is one; the log has the rest. */
export function problemBody(error: unknown): ProblemBody {
  const status = statusOf(error);
  const common = { type: 'about:blank', title: TITLES.get(status) ?? 'Error', status } as const;
  if (!(error instanceof RootcellarError)) {
    return { ...common, detail: 'this is a bug in rootcellar; its log says more', code: 'E_INTERNAL' };
  }
  const { code, message, problems } = error;
  const item = itemOf({ message, hint: error.hint });
  return { ...common, ...item, code, ...(problems.length > 1 ? { errors: problems.map(itemOf) } : {}) };
}

function itemOf({ message, hint }: Pick<Problem, 'message' | 'hint'>): ProblemItem {
  return { detail: message, ...(hint === undefined ? {} : { hint }) };
}

const MOST_PROBLEMS = 20;

/** What a schema has refused, one problem each. */
export function requestError(issues: readonly z.core.$ZodIssue[]): RootcellarError {
  const problems = issues.slice(0, MOST_PROBLEMS).flatMap((issue) => problemsOf(issue, []));
  return RootcellarError.ofProblems(problems);
}

function problemsOf(issue: z.core.$ZodIssue, around: readonly PropertyKey[]): readonly Problem[] {
  const path = [...around, ...issue.path];
  if (issue.code === 'invalid_union') {
    // The alternative that was meant is the one that found fault deeper inside, if any did.
    const inner = issue.errors.find((branch) => branch.some((one) => one.path.length > 0));
    if (inner !== undefined) return inner.flatMap((one) => problemsOf(one, path));
  }
  if (issue.code === 'invalid_key' && issue.issues[0] !== undefined) return problemsOf(issue.issues[0], path);
  const name = path.length === 0 ? 'the request' : `\`${path.map(String).join('.')}\``;
  const hint = issue.code === 'custom' && typeof issue.params?.['hint'] === 'string' ? issue.params['hint'] : undefined;
  return [
    { code: 'E_REQUEST', message: `${name}: ${issue.message}`, hint: hint ?? 'GET /openapi.json says what fits' },
  ];
}
