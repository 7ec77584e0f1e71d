import type { FastifyRequest } from 'fastify';
import { RootcellarError } from '../base/rootcellar-error.ts';
import type { OutputListener } from '../run/launch-cell.ts';
import type { OutputRequest } from '../run/output-files.ts';
import { bodyOf, subjectOf } from './request-facts.ts';
import { requestError } from './problem.ts';
import { withReturnedFiles } from './returned-files.ts';
import type { RunAnswer } from './run-body.ts';
import type { FinishedRun } from './run-desk.ts';
import { orderedRun, type OrderedRun } from './run-order.ts';
import { runBodySchema } from './run-schema.ts';
import type { ServiceParts } from './service-parts.ts';
import type { RunSubject } from './service-watch.ts';

/** A request for `/v1/run`, checked. */
export interface RunWork {
  readonly subject: RunSubject;
  readonly order: OrderedRun;
  readonly outputs: readonly string[] | undefined;
  readonly isStreamed: boolean;
}

const SCHEMA = runBodySchema();

/** Throws E_REQUEST, E_NOT_READY, E_IMAGE_NOT_FOUND, E_PROGRAM_NOT_FOUND. */
export function readWork(request: FastifyRequest, { settings, images }: ServiceParts): RunWork {
  const value = jsonOf(bodyOf(request));
  const parsed = SCHEMA.safeParse(value);
  if (!parsed.success) throw requestError(parsed.error.issues);
  const { outputs, stream = false } = parsed.data;
  const terms = { served: images.served(), settings, given: limitNames(value) };
  const order = orderedRun(parsed.data, terms);
  const wantsEvents = /\btext\/event-stream\b/.test(request.headers.accept ?? '');
  return { subject: subjectOf(request, 'v1', order.language), order, outputs, isStreamed: stream || wantsEvents };
}

function jsonOf(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch (cause) {
    // What stands there may be a secret: no word of it is repeated.
    throw new RootcellarError('E_REQUEST', 'the request: is no JSON', {
      hint: `send for example {"code": "print(1)"}`,
      cause,
    });
  }
}

function limitNames(value: unknown): readonly string[] {
  const limits: unknown = typeof value === 'object' && value !== null && 'limits' in value ? value.limits : undefined;
  return Object.keys(typeof limits === 'object' && limits !== null ? limits : {});
}

export interface RunHandling {
  readonly signal: AbortSignal;
  /** Gets the output as it comes; undefined: the report has it. */
  readonly onOutput?: OutputListener | undefined;
}

/** Has the work done. Throws what `RunDesk.run` throws. */
export async function doWork(work: RunWork, handling: RunHandling, parts: ServiceParts): Promise<RunAnswer> {
  const { outputs } = work;
  if (outputs === undefined) return answerOf(await runOrder(work, { ...handling, outputs: undefined }, parts));
  const returned = await withReturnedFiles(outputs, (places) =>
    runOrder(work, { ...handling, outputs: places }, parts),
  );
  return { ...answerOf(returned.result), files: returned.files };
}

function answerOf({ report, queueMs }: FinishedRun): RunAnswer {
  return { report, queue_ms: Math.round(queueMs * 100) / 100 };
}

interface OrderHandling extends RunHandling {
  readonly outputs: readonly OutputRequest[] | undefined;
}

function runOrder(work: RunWork, handling: OrderHandling, { desk, settings }: ServiceParts): Promise<FinishedRun> {
  const { subject } = work;
  const { signal, onOutput, outputs } = handling;
  const { language: _, ...order } = work.order;
  const stdio = onOutput === undefined ? 'capture' : 'stream';
  const outputLimits = { bytes: settings.mostBodyBytes };
  return desk.run({ subject, signal, request: { ...order, stdio, onOutput, outputs, outputLimits } });
}
