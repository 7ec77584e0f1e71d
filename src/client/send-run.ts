import { RootcellarError } from '../base/rootcellar-error.ts';
import type { OutputListener } from '../run/launch-cell.ts';
import { runBody, type ClientRun } from './client-run.ts';
import { connectionFault, lostConnection } from './connection-fault.ts';
import { eventResult } from './event-result.ts';
import { foreignAnswer, runResult, type RunResult } from './run-result.ts';
import { checkHeader } from './service-address.ts';
import { refusalOf, retryAfterMs } from './service-refusal.ts';

export interface RunTarget {
  readonly address: URL;
  readonly key: string | undefined;
  /** How often a request may be sent again. */
  readonly retries: number;
}

/** What a client has of the outside. */
export interface Surroundings {
  readonly send: (address: URL, options: RequestInit) => Promise<Response>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Throws when the signal is aborted meanwhile. */
  readonly pause: (ms: number, signal: AbortSignal | undefined) => Promise<void>;
}

/** Nobody waits longer for a service that is busy, whatever it says. */
const LONGEST_PAUSE_MS = 60_000;
const AFTER_LOSS_MS = 1000;

/**
 * Sends a run until it has its result. Again only where it cannot be run twice: when the service says that nothing was run and
 * when to come back, and, after a lost connection, when the run has an idempotency key and none of its output was handed on.
 */
export async function sendRun(run: ClientRun, target: RunTarget, surroundings: Surroundings): Promise<RunResult> {
  checkHeader('idempotencyKey', run.idempotencyKey);
  checkHeader('traceparent', run.traceparent);
  const body = JSON.stringify(runBody(run));
  for (let left = target.retries; ; left -= 1) {
    const attempt = await attemptRun({ run, body, target }, surroundings);
    if (attempt.kind === 'done') return attempt.result;
    if (attempt.againAfterMs === undefined || left <= 0) throw attempt.error;
    await pauseFor(Math.min(attempt.againAfterMs, LONGEST_PAUSE_MS), run.signal, surroundings);
  }
}

async function pauseFor(ms: number, signal: AbortSignal | undefined, { pause }: Surroundings): Promise<void> {
  try {
    await pause(ms, signal);
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}

interface SentRun {
  readonly run: ClientRun;
  readonly body: string;
  readonly target: RunTarget;
}

type Attempt =
  | { readonly kind: 'done'; readonly result: RunResult }
  /** `againAfterMs` undefined: it may not be sent again. */
  | { readonly kind: 'failed'; readonly error: RootcellarError; readonly againAfterMs: number | undefined };

async function attemptRun({ run, body, target }: SentRun, { send, now }: Surroundings): Promise<Attempt> {
  const listening = listen(run);
  try {
    const response = await send(target.address, requestOptions(run, { body, target }));
    if (response.status !== 200) {
      const error = refusalOf(response.status, await response.text());
      return { kind: 'failed', error, againAfterMs: retryAfterMs(response, now()) };
    }
    const result = await readResult(response, listening);
    return result === undefined ? lost(lostConnection(), run, listening) : { kind: 'done', result };
  } catch (error) {
    const { thrown } = listening.heard;
    if (thrown !== undefined) throw thrown.error;
    run.signal?.throwIfAborted();
    if (error instanceof RootcellarError) throw error;
    return lost(connectionFault(error, target.address), run, listening);
  }
}

/** The run's listener, and what came of it. */
interface Listening {
  readonly onOutput: OutputListener | undefined;
  readonly heard: { hasOutput: boolean; thrown?: { readonly error: unknown } };
}

function listen({ onOutput }: ClientRun): Listening {
  const heard: Listening['heard'] = { hasOutput: false };
  if (onOutput === undefined) return { onOutput, heard };
  return {
    onOutput: async (stream, bytes) => {
      heard.hasOutput = true;
      try {
        await onOutput(stream, bytes);
      } catch (error) {
        heard.thrown = { error };
        throw error;
      }
    },
    heard,
  };
}

function lost(error: RootcellarError, { idempotencyKey }: ClientRun, { heard }: Listening): Attempt {
  const isRepeatable = error.code === 'E_SERVICE_LOST' && idempotencyKey !== undefined && !heard.hasOutput;
  return { kind: 'failed', error, againAfterMs: isRepeatable ? AFTER_LOSS_MS : undefined };
}

function requestOptions(run: ClientRun, { body, target }: Pick<SentRun, 'body' | 'target'>): RequestInit {
  const { signal, idempotencyKey, traceparent, onOutput } = run;
  const optional = { 'x-api-key': target.key, 'idempotency-key': idempotencyKey, traceparent };
  const given = Object.entries(optional).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value] as const],
  );
  return {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: onOutput === undefined ? 'application/json' : 'text/event-stream',
      ...Object.fromEntries(given),
    },
    body,
    // A key is for the address that it was given for.
    redirect: 'manual',
    signal: signal ?? null,
  };
}

/** Undefined: the connection ended before the result. */
async function readResult(response: Response, { onOutput }: Listening): Promise<RunResult | undefined> {
  if (onOutput === undefined) return runResult(await response.text());
  const isStream = response.headers.get('content-type')?.startsWith('text/event-stream') === true;
  if (!isStream || response.body === null) throw foreignAnswer('is no stream of events');
  return eventResult(response.body, onOutput);
}
