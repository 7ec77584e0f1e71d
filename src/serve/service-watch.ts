import type { Digest } from '../base/digest.ts';
import type { RefreshOutcome } from '../store/refresh-history.ts';
import type { Tier } from '../recipe/recipe.ts';
import type { DeniedCall, RunStatus, StartKind } from '../run/run-report.ts';
import type { TraceContext } from './trace-context.ts';

/** Which API asked for the run: dify-sandbox's, or our own. */
export type RunEndpoint = 'dify' | 'v1';

/** As dify-sandbox calls them, which is what `/v1/run` takes too. */
export type RunLanguage = 'python3' | 'nodejs';

/** What a run is, for whoever watches. It has neither code nor secrets in it. */
export interface RunSubject {
  /** Of the HTTP request; unique while the service runs. */
  readonly requestId: string;
  readonly trace: TraceContext;
  readonly endpoint: RunEndpoint;
  readonly language: RunLanguage;
  /** The name of the API key, never the key. */
  readonly keyName: string;
}

/** Fractions of milliseconds are meant in all times. */
export interface EndedRun extends RunSubject {
  readonly status: RunStatus;
  readonly start: StartKind;
  /** From the request's acceptance to the start of its program. */
  readonly queueMs: number;
  /** From there to the report. */
  readonly runMs: number;
  readonly totalMs: number;
  /** By name and count, as in the report. */
  readonly denied: readonly DeniedCall[];
  readonly image: RunImage;
  readonly tier: Tier;
  /** Milliseconds since 1970 when it ended. */
  readonly endedAt: number;
}

export interface RunImage {
  readonly name: string;
  readonly digest: Digest;
  readonly generation: number;
}

/** A closed set, so that it can be a label. */
export type RejectionReason =
  /** No key, or a wrong one. */
  | 'unauthorized'
  /** The request is malformed or beyond what the service allows. */
  | 'invalid'
  | 'too_large'
  /** As many are running and waiting as the configuration allows. */
  | 'queue_full'
  /** The image is not there yet. */
  | 'not_ready'
  | 'draining'
  /** Its `Idempotency-Key` was used for another request. */
  | 'idempotency_conflict'
  /** The sandbox could not be set up: nothing was run. */
  | 'sandbox'
  /** The client went before its run was started. */
  | 'client_gone';

/**
 * Is told what the service does, as it happens. A run is queued, then started, then ended; or queued and rejected. Must not
 * throw, and must be quick: it is called between a request and its answer.
 */
export interface ServiceWatch {
  readonly runQueued: (run: RunSubject) => void;
  readonly runStarted: (run: RunSubject, queueMs: number) => void;
  readonly runEnded: (run: EndedRun) => void;
  /** `run` where the request had come so far that it is known. */
  readonly requestRejected: (reason: RejectionReason, run?: RunSubject) => void;
  /** What operators want to know and no request is told: an image was switched, a build failed, the service drains. */
  readonly noticed: (notice: ServiceNotice) => void;
  /** A warm interpreter was ended before its cells were used up; `reason` is one of a closed set of the pool's. */
  readonly zygoteRecycled: (reason: string) => void;
  /** What the image is made from was looked at again, by the schedule, after an edit, or because somebody asked. */
  readonly refreshEnded: (refresh: EndedRefresh) => void;
  readonly refreshPlanned: (refresh: PlannedRefresh) => void;
}

export interface EndedRefresh {
  /** Name of the image. */
  readonly image: string;
  readonly result: RefreshOutcome;
  readonly durationMs: number;
  /** Milliseconds since 1970. */
  readonly endedAt: number;
}

export interface PlannedRefresh {
  /** Name of the image. */
  readonly image: string;
  /** Milliseconds since 1970; undefined: only after edits, and when somebody asks. */
  readonly dueAt: number | undefined;
}

export interface ServiceNotice {
  readonly level: 'info' | 'warning' | 'error';
  /** One line, without secrets. */
  readonly message: string;
}

export type ServicePhase =
  /** There is no image yet: it is locked, built and unpacked. */
  | 'preparing'
  | 'ready'
  /** Nothing new is accepted, and what was accepted is finished. */
  | 'draining';

/** What the service is like at this moment. Computed when it is asked for; asking is cheap. */
export interface ServiceState {
  readonly phase: ServicePhase;
  readonly uptimeMs: number;
  /** Empty while preparing. */
  readonly images: readonly ServedImageState[];
  /** Why the image that is served is not the newest, or why there is none; undefined: all is well. */
  readonly problem: string | undefined;
  /** Requests that wait, and how many may. */
  readonly queueLength: number;
  readonly queueCapacity: number;
  readonly running: number;
  /** How many may run at one time. */
  readonly capacity: number;
  /** What cells were like in the last run; undefined before the first. */
  readonly isolation:
    | { readonly tier: Tier; readonly layers: readonly string[]; readonly missing: readonly string[] }
    | undefined;
  readonly pools: readonly PoolState[];
  /** The newest first, at most 100. */
  readonly lastRuns: readonly EndedRun[];
}

export interface ServedImageState extends RunImage {
  readonly languages: readonly RunLanguage[];
}

/** Warm cells of one image. */
export interface PoolState {
  readonly image: RunImage;
  readonly size: number;
  readonly free: number;
}

/** For a service that nobody watches. */
export const UNWATCHED: ServiceWatch = {
  runQueued: () => undefined,
  runStarted: () => undefined,
  runEnded: () => undefined,
  requestRejected: () => undefined,
  noticed: () => undefined,
  zygoteRecycled: () => undefined,
  refreshEnded: () => undefined,
  refreshPlanned: () => undefined,
};

/** Tells each of several. */
export function watchedBy(watches: readonly ServiceWatch[]): ServiceWatch {
  return {
    runQueued: (run) => watches.forEach((watch) => watch.runQueued(run)),
    runStarted: (run, queueMs) => watches.forEach((watch) => watch.runStarted(run, queueMs)),
    runEnded: (run) => watches.forEach((watch) => watch.runEnded(run)),
    requestRejected: (reason, run) => watches.forEach((watch) => watch.requestRejected(reason, run)),
    noticed: (notice) => watches.forEach((watch) => watch.noticed(notice)),
    zygoteRecycled: (reason) => watches.forEach((watch) => watch.zygoteRecycled(reason)),
    refreshEnded: (refresh) => watches.forEach((watch) => watch.refreshEnded(refresh)),
    refreshPlanned: (refresh) => watches.forEach((watch) => watch.refreshPlanned(refresh)),
  };
}
