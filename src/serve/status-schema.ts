import { z } from 'zod';
import { archSchema, digestSchema, isolationSchema, startSchema, statusSchema } from './report-schema.ts';
import type { RunLanguage } from './service-watch.ts';
import type { LatencyJson, RefreshJson, RunJson, StatusJson } from './status-json.ts';

/** Of `/v1/status`, for the OpenAPI document; the compiler holds it to the type. */
export function statusJsonSchema(): z.ZodType<StatusJson> {
  const image = { name: z.string(), digest: digestSchema(), generation: count() };
  return z.object({
    time: z.iso.datetime(),
    version: z.string(),
    phase: z.enum(['preparing', 'ready', 'draining']),
    uptime_ms: count(),
    problem: z.string().nullable().describe('Why the newest image is not served; null: it is.'),
    load: z.object({ running: count(), capacity: count(), queue_length: count(), queue_capacity: count() }),
    images: z.array(z.object({ ...image, languages: z.array(languageSchema()) })),
    pools: z.array(z.object({ image: z.string(), generation: count(), size: count(), free: count() })),
    refreshes: z.array(refreshSchema()).describe('Of images that are made from a recipe.'),
    isolation: isolationSchema().nullable().describe('Of the last run; null before the first.'),
    latency: z.array(latencySchema()).describe('Of the last thousand runs of each start kind, queue included.'),
    runs: z.array(runSchema(image)).describe('The newest first.'),
  });
}

function refreshSchema(): z.ZodType<RefreshJson> {
  const last = z.object({
    ended_at: z.iso.datetime(),
    result: z.enum(['current', 'switched', 'kept', 'failed']),
    duration_ms: count(),
  });
  return z.object({
    image: z.string(),
    last: last.nullable().describe('Null: none since the service began.'),
    next_at: z.iso.datetime().nullable().describe('When it is due; null: by no schedule.'),
  });
}

function latencySchema(): z.ZodType<LatencyJson> {
  const ms = z.number().min(0);
  return z.object({ start: startSchema(), runs: count(), p50_ms: ms, p95_ms: ms, p99_ms: ms });
}

function runSchema(image: {
  readonly name: z.ZodType<string>;
  readonly digest: z.ZodType<RunJson['image']['digest']>;
  readonly generation: z.ZodType<number>;
}): z.ZodType<RunJson> {
  const ms = z.number().min(0);
  return z.object({
    request_id: z.string().describe('By which the log names it.'),
    ended_at: z.iso.datetime(),
    endpoint: z.enum(['dify', 'v1']),
    language: languageSchema(),
    status: statusSchema(),
    start: startSchema(),
    queue_ms: ms,
    run_ms: ms,
    total_ms: ms,
    denied: z.array(z.object({ syscall: z.string(), arch: archSchema(), count: count() })),
    image: z.object(image),
  });
}

function languageSchema(): z.ZodType<RunLanguage> {
  return z.enum(['python3', 'nodejs']);
}

function count(): z.ZodType<number> {
  return z.int().min(0);
}
