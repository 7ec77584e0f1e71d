import { z } from 'zod';
import { runReportSchema } from './report-schema.ts';
import type { ProblemBody, RunAnswer } from './run-body.ts';

/** Of `/v1/run`, for the OpenAPI document; the compiler holds it to the type. */
export function runAnswerSchema(): z.ZodType<RunAnswer> {
  return z.object({
    report: runReportSchema(),
    queue_ms: z.number().min(0).describe('Waited before the program was started.'),
    files: z
      .array(z.object({ path: z.string(), base64: z.base64() }))
      .exactOptional()
      .describe('What `outputs` asked for.'),
  });
}

/** Of every error. */
export function problemSchema(): z.ZodType<ProblemBody> {
  const detail = z.string();
  const hint = z.string().exactOptional().describe('What can be done.');
  return z.object({
    type: z.literal('about:blank'),
    title: z.string(),
    status: z.int(),
    detail,
    code: z.string().describe('Such as `E_BUSY`.'),
    hint,
    errors: z.array(z.object({ detail, hint })).exactOptional(),
  });
}
