import type { FastifyBaseLogger } from 'fastify';
import type { EndedRefresh, EndedRun, RejectionReason, RunSubject, ServiceWatch } from './service-watch.ts';

type Level = 'info' | 'warn' | 'error';

/**
 * One line for each run, for each request without one, and for what operators want to know. Each has the ids by which it is
 * found from elsewhere. No line has anything that a client or a program wrote: no code, input, output, variables, keys, headers.
 */
export function runLog(log: Pick<FastifyBaseLogger, Level>): ServiceWatch {
  return {
    runQueued: () => undefined,
    runStarted: () => undefined,
    runEnded: (run) => log[runLevel(run)](runFields(run), `run ended: ${run.status}`),
    requestRejected: (reason, run) =>
      log[rejectionLevel(reason)](
        { event: 'rejected', reason, ...(run === undefined ? {} : subjectFields(run)) },
        `request rejected: ${reason}`,
      ),
    noticed: ({ level, message }) => log[level === 'warning' ? 'warn' : level]({ event: 'notice' }, message),
    zygoteRecycled: (reason) => log.info({ event: 'recycled', reason }, `zygote recycled: ${reason}`),
    // Why it failed is a notice.
    refreshEnded: (refresh) => log[refreshLevel(refresh)](refreshFields(refresh), `refresh ended: ${refresh.result}`),
    refreshPlanned: () => undefined,
  };
}

function refreshFields({ image, result, durationMs }: EndedRefresh): object {
  return { event: 'refresh', image, result, duration_ms: Math.round(durationMs) };
}

function refreshLevel({ result }: EndedRefresh): Level {
  if (result === 'failed') return 'error';
  return result === 'kept' ? 'warn' : 'info';
}

function runFields(run: EndedRun): object {
  const { status, start, queueMs, runMs, totalMs, denied, image, tier } = run;
  return {
    event: 'run',
    ...subjectFields(run),
    status,
    start,
    queue_ms: tenths(queueMs),
    run_ms: tenths(runMs),
    total_ms: tenths(totalMs),
    denied: denied.map(({ syscall, arch, count }) => ({ syscall, arch, count })),
    image: { name: image.name, digest: image.digest, generation: image.generation },
    tier,
  };
}

/** Parent ids join these lines with the spans of whoever asked. */
function subjectFields({ requestId, trace, endpoint, language, keyName }: RunSubject): object {
  const { traceId, spanId, parentId } = trace;
  const parent = parentId === undefined ? {} : { parent_id: parentId };
  return { request_id: requestId, trace_id: traceId, span_id: spanId, ...parent, key: keyName, endpoint, language };
}

function runLevel({ status }: EndedRun): Level {
  if (status === 'internal') return 'error';
  return status === 'rejected' ? 'warn' : 'info';
}

/** Clients make mistakes all the time; what the service cannot do is for its operator. */
function rejectionLevel(reason: RejectionReason): Level {
  if (reason === 'sandbox') return 'error';
  return reason === 'queue_full' || reason === 'not_ready' ? 'warn' : 'info';
}

function tenths(milliseconds: number): number {
  return Math.round(milliseconds * 10) / 10;
}
