import type { FastifyReply } from 'fastify';
import { RootcellarError } from '../base/rootcellar-error.ts';
import { passes, problemBody } from './problem.ts';
import type { ServiceParts } from './service-parts.ts';

/** Answers a request that failed. What nobody can do anything about but us is told to whoever watches. */
export function sendFault(reply: FastifyReply, error: unknown, parts: ServiceParts): FastifyReply {
  const known = knownFault(error, parts);
  const body = problemBody(known);
  noticeBug(known, parts);
  if (body.status === 401) reply.header('www-authenticate', 'Basic realm="rootcellar", charset="UTF-8"');
  addRetry(reply, known, parts);
  return reply.code(body.status).header('content-type', 'application/problem+json; charset=utf-8').send(body);
}

/** What nobody foresaw; whoever looks after the service has to know of it. */
export function noticeBug(error: unknown, { watch }: Pick<ServiceParts, 'watch'>): void {
  const isForeseen = error instanceof RootcellarError || (httpStatusOf(error) ?? 500) < 500;
  if (!isForeseen) watch.noticed(bugNotice(error));
}

/** For faults that pass. */
export function addRetry(reply: FastifyReply, error: unknown, { queue }: Pick<ServiceParts, 'queue'>): void {
  if (passes(error)) reply.header('retry-after', `${queue.retryAfterS}`);
}

/** Fastify's own refusals in our words. */
function knownFault(error: unknown, { settings, watch }: ServiceParts): unknown {
  const status = httpStatusOf(error);
  if (status === undefined || status >= 500) return error;
  if (status === 413) {
    watch.requestRejected('too_large');
    const message = `the request: is larger than the ${settings.mostBodyBytes} bytes that this service takes`;
    return new RootcellarError('E_TOO_LARGE', message, { hint: 'send less, or raise --max-body', cause: error });
  }
  watch.requestRejected('invalid');
  return new RootcellarError('E_REQUEST', 'the request: is not well-formed HTTP', {
    hint: 'GET /openapi.json says what fits',
    cause: error,
  });
}

/** Of an error that has one, as fastify's have. */
export function httpStatusOf(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('statusCode' in error)) return undefined;
  return typeof error.statusCode === 'number' ? error.statusCode : undefined;
}

/** Where it happened, without its message: that may have in it what a client sent. */
function bugNotice(error: unknown): { readonly level: 'error'; readonly message: string } {
  const frames = error instanceof Error ? (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line)) : [];
  const where = frames
    .slice(0, 5)
    .map((line) => line.trim())
    .join(', ');
  return { level: 'error', message: `a request failed by a bug in rootcellar: ${where}` };
}
