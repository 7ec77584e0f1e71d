import { z } from 'zod';
import type { Digest } from '../base/digest.ts';
import { TIERS, type Limits } from '../recipe/recipe.ts';
import {
  RUN_STATUSES,
  type DeniedCall,
  type RunEvent,
  type RunReport,
  type RunStatus,
  type StartKind,
  type TakenFile,
} from '../run/run-report.ts';

/** A `RunReport` for the OpenAPI document; the compiler holds it to that type. */
export function runReportSchema(): z.ZodType<RunReport> {
  return z.object({
    status: statusSchema().describe('How the run ended, from the kernel.'),
    exit_code: z.int().min(0).max(255).nullable(),
    signal: z.string().nullable(),
    events: z.array(eventSchema()),
    stdout: z.string().exactOptional(),
    stderr: z.string().exactOptional(),
    encoding: z.enum(['utf-8', 'base64']).exactOptional().describe('Of stdout and stderr.'),
    truncated: z.object({ stdout: z.boolean(), stderr: z.boolean() }),
    time: z.object({
      wall_ms: z.number(),
      cpu_ms: z.number(),
      setup_ms: z.number(),
      start: startSchema(),
    }),
    memory: z.object({ peak_bytes: count().nullable(), enforced_by: z.enum(['cgroup', 'watchdog']) }),
    processes_peak: count().nullable(),
    denied: z.array(deniedSchema()),
    isolation: isolationSchema(),
    files: z.array(takenSchema()).exactOptional(),
    image: z.object({ name: z.string(), digest: digestSchema() }),
    limits: limitsSchema(),
    error: z.object({ step: z.string(), message: z.string() }).exactOptional(),
  });
}

export function statusSchema(): z.ZodType<RunStatus> {
  return z.enum(RUN_STATUSES);
}

export function startSchema(): z.ZodType<StartKind> {
  return z.enum(['cold', 'warm', 'forked']);
}

export function isolationSchema(): z.ZodType<RunReport['isolation']> {
  return z.object({ tier: z.enum(TIERS), layers: z.array(z.string()), missing: z.array(z.string()) });
}

export function digestSchema(): z.ZodType<Digest> {
  return z.templateLiteral(['sha256:', z.string()]);
}

export function archSchema(): z.ZodType<DeniedCall['arch']> {
  return z.enum(['amd64', 'arm64', 'i386', 'x32', 'arm']);
}

function count(): z.ZodType<number> {
  return z.int().min(0);
}

function deniedSchema(): z.ZodType<DeniedCall> {
  return z.object({ syscall: z.string(), nr: count(), arch: archSchema(), count: count() });
}

function limitsSchema(): z.ZodType<Limits> {
  const number = count();
  return z.object({
    memoryBytes: number,
    processes: number,
    cpuMs: number,
    wallMs: number,
    outputBytes: number,
    tmpBytes: number,
    openFiles: number,
  });
}

function takenSchema(): z.ZodType<TakenFile> {
  return z.object({
    path: z.string(),
    path_base64: z.string().exactOptional(),
    bytes: count(),
    error: z
      .enum([
        'missing',
        'symlink',
        'not-a-file',
        'too-large',
        'too-many',
        'too-deep',
        'outside',
        'unreadable',
        'not-taken',
        'not-written',
      ])
      .exactOptional(),
    reason: z.string().exactOptional(),
  });
}

function eventSchema(): z.ZodType<RunEvent> {
  const of = z.literal;
  const number = count();
  const stream = z.enum(['stdout', 'stderr']);
  const place = { host: z.string(), port: number, count: number };
  const reason = z.enum(['host_not_allowed', 'port_not_allowed', 'private_address', 'unknown_host', 'bad_request']);
  return z.discriminatedUnion('kind', [
    z.object({ kind: of('oom_kill'), count: number }),
    z.object({ kind: of('pids_max'), count: number }),
    z.object({ kind: of('output_truncated'), stream }),
    z.object({ kind: of('output_lost'), stream, reason: z.string() }),
    z.object({ kind: of('wall') }),
    z.object({ kind: of('cpu') }),
    z.object({ kind: of('syscall_denied'), syscall: z.string(), count: number }),
    z.object({ kind: of('weak'), layer: of('network') }),
    z.object({ kind: of('disk_full') }),
    z.object({ kind: of('killed_descendants'), count: number }),
    z.object({ kind: of('network_refused'), ...place, reason }),
    z.object({ kind: of('network_contacted'), ...place }),
    z.object({ kind: of('network_uncounted'), count: number }),
    z.object({ kind: of('cleanup_unproven') }),
  ]);
}
