import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { RootcellarError } from '../base/rootcellar-error.ts';
import { difyEnvelope, difyError, difyRunAnswer } from './dify-answer.ts';
import { difyProgram } from './dify-program.ts';
import { bindRequest, DEPENDENCY_FIELDS, RUN_FIELDS, type BoundRequest } from './dify-request.ts';
import type { ServedImage } from './image-source.ts';
import { addRetry, httpStatusOf, noticeBug } from './fault-answers.ts';
import { passes } from './problem.ts';
import { askForKey, bodyOf, clientSignal, subjectOf, timingText } from './request-facts.ts';
import { imageFor, usualLimits } from './run-order.ts';
import type { ServiceParts } from './service-parts.ts';
import type { RunLanguage } from './service-watch.ts';

const JSON_TYPE = 'application/json; charset=utf-8';

/** The endpoints of dify-sandbox: their shapes, codes and oddities, as its clients know them. */
export function addDifyRoutes(app: FastifyInstance, parts: ServiceParts): void {
  const { settings, watch } = parts;
  askForKey(app, { keys: settings.keys, watch, refuse: (reply) => reply.code(401).send() });
  app.setErrorHandler((error, _, reply) => sendError(reply, error, parts));
  app.post('/v1/sandbox/run', (request, reply) => run(request, reply, parts));
  app.get('/v1/sandbox/dependencies', (request, reply) => dependencies(request, reply, () => list(parts)));
  app.get('/v1/sandbox/dependencies/refresh', (request, reply) => dependencies(request, reply, () => refresh(parts)));
  app.post('/v1/sandbox/dependencies/update', (request, reply) => dependencies(request, reply, () => update(parts)));
}

function sendJson(reply: FastifyReply, status: number, body: string): FastifyReply {
  return reply.code(status).header('content-type', JSON_TYPE).send(body);
}

/** What fastify or we found wrong; the codes are the HTTP statuses, as in dify-sandbox. */
function sendError(reply: FastifyReply, error: unknown, parts: ServiceParts): FastifyReply {
  addRetry(reply, error, parts);
  if (error instanceof RootcellarError) {
    if (passes(error)) return sendJson(reply, 503, difyError(-503, busyText(error)));
    const isClients = error.code === 'E_PROGRAM_NOT_FOUND';
    return sendJson(reply, isClients ? 400 : 200, difyError(isClients ? -400 : -500, error.message));
  }
  noticeBug(error, parts);
  const status = httpStatusOf(error) ?? 500;
  const message = status < 500 && error instanceof Error ? error.message : 'internal error';
  return sendJson(reply, status, difyError(-status, message));
}

function busyText(error: RootcellarError): string {
  return error.code === 'E_BUSY' ? 'Too many requests' : error.message;
}

/** Binds as dify-sandbox does, which says 400 in the status only where the content type is exactly this one. */
async function bind(request: FastifyRequest, fields: typeof RUN_FIELDS): Promise<BoundRequest> {
  const { method, raw } = request;
  const query = /\?(.*)$/s.exec(raw.url ?? '')?.[1] ?? '';
  return bindRequest({ method, contentType: contentTypeOf(request), query, body: bodyOf(request) }, fields);
}

function contentTypeOf({ headers }: FastifyRequest): string {
  return headers['content-type'] ?? '';
}

function sendRefusal(request: FastifyRequest, reply: FastifyReply, message: string): FastifyReply {
  const body = difyError(-400, message);
  if (contentTypeOf(request) !== 'application/json') return sendJson(reply, 200, body);
  return reply.code(400).header('content-type', 'text/plain; charset=utf-8').send(body);
}

async function run(request: FastifyRequest, reply: FastifyReply, parts: ServiceParts): Promise<FastifyReply> {
  const { settings, images, desk, watch } = parts;
  const bound = await bind(request, RUN_FIELDS);
  if (bound.kind === 'refused') {
    watch.requestRejected('invalid');
    return sendRefusal(request, reply, bound.message);
  }
  const language = languageOf(bound.values.get('language'));
  if (language === undefined) return unsupported(reply, parts);
  const served = images.served();
  const wantsNetwork = bound.values.get('enable_network') === true;
  const network = settings.network ?? served.manifest.sandbox.network;
  if (wantsNetwork && network === 'none') {
    watch.requestRejected('invalid');
    const message = 'network is disabled, please enable it in the configuration';
    return sendJson(reply, 200, difyError(-400, message));
  }
  const { report, queueMs } = await desk.run({
    subject: subjectOf(request, 'dify', language),
    signal: clientSignal(reply),
    request: {
      image: imageFor(served, language),
      program: difyProgram({
        language,
        code: textOf(bound, 'code'),
        preload: settings.enablePreload ? textOf(bound, 'preload') : '',
      }),
      arguments: [],
      limits: usualLimits({ served, settings }),
      network: wantsNetwork ? network : 'none',
      stdio: 'capture',
    },
  });
  reply.header('server-timing', timingText(queueMs, report.time.wall_ms));
  return sendJson(reply, 200, difyRunAnswer(report));
}

function textOf({ values }: BoundRequest & { readonly kind: 'bound' }, name: string): string {
  const value = values.get(name);
  return typeof value === 'string' ? value : '';
}

function languageOf(value: string | boolean | undefined): RunLanguage | undefined {
  return value === 'python3' || value === 'nodejs' ? value : undefined;
}

function unsupported(reply: FastifyReply, { watch }: ServiceParts): FastifyReply {
  watch.requestRejected('invalid');
  return sendJson(reply, 400, difyError(-400, 'unsupported language'));
}

/** Only Python has dependencies that can be listed. */
async function dependencies(
  request: FastifyRequest,
  reply: FastifyReply,
  work: () => Promise<string>,
): Promise<FastifyReply> {
  const bound = await bind(request, DEPENDENCY_FIELDS);
  if (bound.kind === 'refused') return sendRefusal(request, reply, bound.message);
  if (bound.values.get('language') !== 'python3') {
    return sendJson(reply, 400, difyError(-400, 'unsupported language'));
  }
  return sendJson(reply, 200, await work());
}

async function list({ images }: ServiceParts): Promise<string> {
  return listText(await images.served().packages());
}

function listText(packages: Awaited<ReturnType<ServedImage['packages']>>): string {
  return difyEnvelope(0, 'success', { dependencies: packages.map(({ name, version }) => ({ name, version })) });
}

/** Resolved, built and tried out again; where that gives no image, dify-sandbox answers so, and the old image goes on. */
async function refresh({ images }: ServiceParts): Promise<string> {
  try {
    await images.refresh('all');
  } catch (error) {
    if (error instanceof RootcellarError) return difyEnvelope(0, 'success', { dependencies: null });
    throw error;
  }
  return listText(await images.served().packages());
}

/** The same. */
async function update({ images }: ServiceParts): Promise<string> {
  try {
    await images.refresh('all');
  } catch (error) {
    if (error instanceof RootcellarError) return difyError(-500, error.message);
    throw error;
  }
  return difyEnvelope(0, 'success', {});
}
