import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { RootcellarError } from '../base/rootcellar-error.ts';
import { holderOf, isLoopback, keyRing, offeredKey, type ApiKey, type KeyRing } from './api-keys.ts';
import type { RunEndpoint, RunLanguage, RunSubject, ServiceWatch } from './service-watch.ts';
import { traceContext, traceResponse, type TraceContext } from './trace-context.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Of every request, from its beginning. */
    trace: TraceContext;
    /** The name of its key; empty before it was checked, and where none is asked for. */
    keyName: string;
  }
}

/** Gives every request its trace, and every answer its name. */
export function addRequestFacts(app: FastifyInstance): void {
  app.decorateRequest('keyName', '');
  app.decorateRequest('trace');
  app.addHook('onRequest', async (request, reply) => {
    const header = request.headers['traceparent'];
    request.trace = traceContext(typeof header === 'string' ? header : undefined);
    reply.header('traceresponse', traceResponse(request.trace));
  });
}

/**
 * Lets requests of `app` in by their key alone. `refuse` answers all others; their bodies are not read.
 * Without keys, requests come from this machine; then those of web pages that a browser there shows are refused.
 */
export function askForKey(app: FastifyInstance, { keys, watch, refuse }: Lock): void {
  const ring = keyRing(keys);
  app.addHook('onRequest', async (request, reply) => {
    const name = letIn(ring, request);
    if (name === undefined) {
      watch.requestRejected('unauthorized');
      return refuse(reply);
    }
    request.keyName = name;
  });
}

export interface Lock {
  readonly keys: readonly ApiKey[];
  readonly watch: Pick<ServiceWatch, 'requestRejected'>;
  readonly refuse: (reply: FastifyReply) => FastifyReply;
}

function letIn(ring: KeyRing, request: FastifyRequest): string | undefined {
  const offered = offeredKey(request.headers);
  if (ring.length > 0) return holderOf(ring, offered);
  // As in dify-sandbox, whose empty key is that of whoever sends none.
  const isForeign = request.headers.origin !== undefined || !isLoopback(request.hostname);
  return offered !== '' || isForeign ? undefined : '';
}

export function unauthorized(): RootcellarError {
  return new RootcellarError('E_UNAUTHORIZED', 'the request: has no key, or a wrong one', {
    hint: 'send it as `X-Api-Key`, `Authorization: Bearer`, or as the password of `Basic`',
  });
}

export function subjectOf(request: FastifyRequest, endpoint: RunEndpoint, language: RunLanguage): RunSubject {
  return { requestId: request.id, trace: request.trace, endpoint, language, keyName: request.keyName };
}

/** Aborted when the client goes before it has its answer. */
export function clientSignal(reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) controller.abort(new Error('the client has gone'));
  });
  return controller.signal;
}

/** What a body was, whatever its content type says. */
export function bodyOf({ body }: FastifyRequest): Buffer {
  return Buffer.isBuffer(body) ? body : Buffer.alloc(0);
}

/** How long a request has waited and run, for whoever looks at it in a browser or a proxy's log. Source: W3C, Server Timing. */
export function timingText(queueMs: number, wallMs: number): string {
  return `queue;dur=${queueMs.toFixed(1)}, run;dur=${wallMs.toFixed(1)}`;
}
