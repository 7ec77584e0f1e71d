import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { syscallNumber, type SyscallAbi } from '../run/syscall-tables.ts';
import type { DeniedCall } from '../run/run-report.ts';
import type { RefreshOutcome } from '../store/refresh-history.ts';
import type { RejectionReason, ServiceState, ServiceWatch } from './service-watch.ts';
import type { SoftwareVersions } from './software-versions.ts';
import { addBuildInfo, addStateMetrics } from './state-metrics.ts';

export interface ServiceMetrics {
  /** What the counters and histograms are fed by. */
  readonly watch: ServiceWatch;
  /** Adds what is known by asking the service. */
  readonly observe: (state: () => ServiceState) => void;
  /** All metrics in Prometheus' text format. */
  readonly text: () => Promise<string>;
  /** The media type of that text, with its version. */
  readonly contentType: string;
}

/** Seconds: from what a warm cell takes to the longest run that anybody waits for. */
const BUCKETS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60];

/** There from the start: a rate sees the first rejection only where it has seen none before. */
const NO_REJECTIONS: Readonly<Record<RejectionReason, 0>> = {
  unauthorized: 0,
  invalid: 0,
  too_large: 0,
  queue_full: 0,
  not_ready: 0,
  draining: 0,
  idempotency_conflict: 0,
  sandbox: 0,
  client_gone: 0,
};

const NO_REFRESHES: Readonly<Record<RefreshOutcome, 0>> = { current: 0, switched: 0, kept: 0, failed: 0 };

/** Reasons beyond these are counted as one: each label value costs Prometheus a time series for ever. */
const MOST_RECYCLE_REASONS = 16;

/** The metrics of one service, in a registry of its own: two services in one process do not see each other. */
export function serviceMetrics(versions: SoftwareVersions): ServiceMetrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  addBuildInfo(registry, versions);
  return {
    watch: eventMetrics(registry),
    observe: (state) => addStateMetrics(registry, state),
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}

/** What is counted as it happens. */
function eventMetrics(registry: Registry): ServiceWatch {
  const metrics = registeredMetrics([registry]);
  for (const [reason, none] of Object.entries(NO_REJECTIONS)) metrics.rejected.inc({ reason }, none);
  for (const [result, none] of Object.entries(NO_REFRESHES)) metrics.refreshes.inc({ result }, none);
  const recycleReason = boundedLabel(MOST_RECYCLE_REASONS);
  return {
    runQueued: () => undefined,
    runStarted: ({ endpoint }, queueMs) => metrics.queued.observe({ endpoint }, queueMs / 1000),
    runEnded: ({ endpoint, language, status, start, runMs, denied }) => {
      metrics.runs.inc({ endpoint, language, status, start });
      metrics.ran.observe({ language, start }, runMs / 1000);
      for (const call of denied) metrics.denied.inc({ syscall: syscallLabel(call) }, call.count);
    },
    requestRejected: (reason) => metrics.rejected.inc({ reason }),
    noticed: ({ level }) => metrics.notices.inc({ level }),
    zygoteRecycled: (reason) => metrics.recycled.inc({ reason: recycleReason(reason) }),
    refreshEnded: ({ result, endedAt }) => {
      metrics.refreshes.inc({ result });
      if (result === 'current' || result === 'switched') metrics.refreshed.set(endedAt / 1000);
    },
    refreshPlanned: () => undefined,
  };
}

interface EventMetrics {
  readonly runs: Counter<'endpoint' | 'language' | 'status' | 'start'>;
  readonly queued: Histogram<'endpoint'>;
  readonly ran: Histogram<'language' | 'start'>;
  readonly denied: Counter<'syscall'>;
  readonly rejected: Counter<'reason'>;
  readonly recycled: Counter<'reason'>;
  readonly notices: Counter<'level'>;
  readonly refreshes: Counter<'result'>;
  readonly refreshed: Gauge;
}

function registeredMetrics(registers: Registry[]): EventMetrics {
  return {
    ...refreshMetrics(registers),
    runs: new Counter({
      registers,
      name: 'rootcellar_runs_total',
      help: 'Runs that ended, by the status of their report and by how their cell was started.',
      labelNames: ['endpoint', 'language', 'status', 'start'],
    }),
    queued: new Histogram({
      registers,
      name: 'rootcellar_run_queue_seconds',
      help: 'From the acceptance of a request to the start of its run.',
      labelNames: ['endpoint'],
      buckets: BUCKETS,
    }),
    ran: new Histogram({
      registers,
      name: 'rootcellar_run_duration_seconds',
      help: 'From the start of a run to its report.',
      labelNames: ['language', 'start'],
      buckets: BUCKETS,
    }),
    denied: new Counter({
      registers,
      name: 'rootcellar_denied_calls_total',
      help: 'System calls that programs made and were denied, by name.',
      labelNames: ['syscall'],
    }),
    rejected: new Counter({
      registers,
      name: 'rootcellar_requests_rejected_total',
      help: 'Requests that were answered without a run.',
      labelNames: ['reason'],
    }),
    recycled: new Counter({
      registers,
      name: 'rootcellar_zygotes_recycled_total',
      help: 'Warm interpreters that were replaced.',
      labelNames: ['reason'],
    }),
    notices: new Counter({
      registers,
      name: 'rootcellar_notices_total',
      help: 'Lines of the log that are for operators and belong to no request.',
      labelNames: ['level'],
    }),
  };
}

function refreshMetrics(registers: Registry[]): Pick<EventMetrics, 'refreshes' | 'refreshed'> {
  return {
    refreshes: new Counter({
      registers,
      name: 'rootcellar_refreshes_total',
      help: 'Times that what the image is made from was looked at again.',
      labelNames: ['result'],
    }),
    refreshed: new Gauge({
      registers,
      name: 'rootcellar_refresh_last_success_timestamp_seconds',
      help: 'When the image was last found to be, or made, as new as it may be; 0: not since the service began.',
    }),
  };
}

/** A guest chooses the number of a call that it makes; only what our tables know is a label. */
function syscallLabel({ arch, syscall }: DeniedCall): string {
  const abi: SyscallAbi | undefined = arch === 'arm' ? undefined : arch;
  return abi !== undefined && syscallNumber(abi, syscall) !== undefined ? syscall : 'unknown';
}

/** Lets the first `most` different words through; all that come later are `other`. */
function boundedLabel(most: number): (word: string) => string {
  const known = new Set<string>();
  return (word) => {
    if (known.size < most) known.add(word);
    return known.has(word) ? word : 'other';
  };
}
