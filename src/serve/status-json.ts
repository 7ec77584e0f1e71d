import type { Digest } from '../base/digest.ts';
import type { Tier } from '../recipe/recipe.ts';
import type { DeniedCall, RunStatus, StartKind } from '../run/run-report.ts';
import type { Latency } from './latency-window.ts';
import type { RefreshOutcome } from '../store/refresh-history.ts';
import type { RefreshState } from './refresh-memory.ts';
import type { EndedRun, RunEndpoint, RunImage, RunLanguage, ServicePhase, ServiceState } from './service-watch.ts';

/** The answer of `/v1/status`, exactly in this shape. Who has any key may see it: it says nothing of the other keys. */
export interface StatusJson {
  /** When it was true, as RFC 3339 writes times. */
  readonly time: string;
  readonly version: string;
  readonly phase: ServicePhase;
  readonly uptime_ms: number;
  /** Why the newest image is not served, or none is; null: all is well. */
  readonly problem: string | null;
  readonly load: {
    readonly running: number;
    readonly capacity: number;
    readonly queue_length: number;
    readonly queue_capacity: number;
  };
  readonly images: readonly (RunImage & { readonly languages: readonly RunLanguage[] })[];
  readonly pools: readonly {
    readonly image: string;
    readonly generation: number;
    readonly size: number;
    readonly free: number;
  }[];
  /** Of images that are made from a recipe. */
  readonly refreshes: readonly RefreshJson[];
  /** Of the last run; null before the first. */
  readonly isolation: {
    readonly tier: Tier;
    readonly layers: readonly string[];
    readonly missing: readonly string[];
  } | null;
  /** Of the last thousand runs of each start kind, queue included. */
  readonly latency: readonly LatencyJson[];
  /** The newest first. */
  readonly runs: readonly RunJson[];
}

export interface RefreshJson {
  readonly image: string;
  /** Null: none since the service began. */
  readonly last: {
    readonly ended_at: string;
    readonly result: RefreshOutcome;
    readonly duration_ms: number;
  } | null;
  /** When it is due; null: by no schedule. */
  readonly next_at: string | null;
}

export interface LatencyJson {
  readonly start: StartKind;
  readonly runs: number;
  readonly p50_ms: number;
  readonly p95_ms: number;
  readonly p99_ms: number;
}

export interface RunJson {
  /** By which the log names it. */
  readonly request_id: string;
  readonly ended_at: string;
  readonly endpoint: RunEndpoint;
  readonly language: RunLanguage;
  readonly status: RunStatus;
  readonly start: StartKind;
  readonly queue_ms: number;
  readonly run_ms: number;
  readonly total_ms: number;
  readonly denied: readonly Pick<DeniedCall, 'syscall' | 'arch' | 'count'>[];
  readonly image: { readonly name: string; readonly generation: number; readonly digest: Digest };
}

export interface StatusParts {
  readonly state: ServiceState;
  readonly latencies: readonly Latency[];
  readonly refreshes: readonly RefreshState[];
  readonly version: string;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** What the status page shows, and what anybody else may show of it. */
export function statusJson({ state, latencies, refreshes, version, now }: StatusParts): StatusJson {
  return {
    time: new Date(now).toISOString(),
    version,
    phase: state.phase,
    uptime_ms: Math.round(state.uptimeMs),
    problem: state.problem ?? null,
    load: {
      running: state.running,
      capacity: state.capacity,
      queue_length: state.queueLength,
      queue_capacity: state.queueCapacity,
    },
    images: state.images.map(({ name, digest, generation, languages }) => ({ name, digest, generation, languages })),
    pools: state.pools.map(({ image, size, free }) => ({
      image: image.name,
      generation: image.generation,
      size,
      free,
    })),
    refreshes: refreshes.map(refreshJson),
    isolation: state.isolation ?? null,
    latency: latencies.map(({ start, runs, p50Ms, p95Ms, p99Ms }) => ({
      start,
      runs,
      p50_ms: micro(p50Ms),
      p95_ms: micro(p95Ms),
      p99_ms: micro(p99Ms),
    })),
    runs: state.lastRuns.map(runJson),
  };
}

function refreshJson({ image, last, dueAt }: RefreshState): RefreshJson {
  return {
    image,
    last:
      last === undefined
        ? null
        : {
            ended_at: new Date(last.endedAt).toISOString(),
            result: last.result,
            duration_ms: Math.round(last.durationMs),
          },
    next_at: dueAt === undefined ? null : new Date(dueAt).toISOString(),
  };
}

function runJson(run: EndedRun): RunJson {
  const { name, generation, digest } = run.image;
  return {
    request_id: run.requestId,
    ended_at: new Date(run.endedAt).toISOString(),
    endpoint: run.endpoint,
    language: run.language,
    status: run.status,
    start: run.start,
    queue_ms: micro(run.queueMs),
    run_ms: micro(run.runMs),
    total_ms: micro(run.totalMs),
    denied: run.denied.map(({ syscall, arch, count }) => ({ syscall, arch, count })),
    image: { name, generation, digest },
  };
}

/** To the microsecond: what is beyond that is noise of the clock. */
function micro(milliseconds: number): number {
  return Math.round(milliseconds * 1000) / 1000;
}
