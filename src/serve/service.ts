import { randomUUID } from 'node:crypto';
import { fastify, type FastifyInstance, type FastifyServerOptions } from 'fastify';
import { RootcellarError } from '../base/rootcellar-error.ts';
import { addDifyRoutes } from './dify-routes.ts';
import { sendFault } from './fault-answers.ts';
import { addHealthRoutes } from './health-routes.ts';
import type { ImageSource } from './image-source.ts';
import { KeptAnswers } from './kept-answers.ts';
import type { ListenAddress } from './listen-address.ts';
import { openApiDocument } from './openapi.ts';
import { trackAnswers } from './open-answers.ts';
import { addRequestFacts, askForKey, unauthorized } from './request-facts.ts';
import { RunDesk, type ServiceClock, type StartProgram } from './run-desk.ts';
import { RunQueue } from './run-queue.ts';
import { addRunRoutes } from './run-routes.ts';
import { requiredImages, type ServiceParts } from './service-parts.ts';
import type { ServiceSettings } from './service-settings.ts';
import type { PoolState, ServiceState, ServiceWatch } from './service-watch.ts';
import { sendNothingThere } from './unknown-routes.ts';

export interface ServiceOptions {
  readonly settings: ServiceSettings;
  readonly start: StartProgram;
  readonly images: ImageSource;
  readonly watch: ServiceWatch;
  readonly clock: ServiceClock;
  /** Warm cells; undefined: there are none. */
  readonly pools?: (() => readonly PoolState[]) | undefined;
  /** Adds routes that ask for a key, as ours do. */
  readonly extend?: ((app: FastifyInstance, state: () => ServiceState) => void) | undefined;
  /** How long slow clients are waited for. */
  readonly patience?: Patience | undefined;
  /** How fastify logs. */
  readonly log?: Pick<FastifyServerOptions, 'loggerInstance' | 'logController'> | undefined;
}

/** The HTTP service. One process; what a run does never touches it. */
export interface Service {
  /** Throws E_LISTEN. The port is the one that was taken. */
  readonly listen: () => Promise<ListenAddress>;
  readonly state: () => ServiceState;
  /**
   * Takes no more runs, says so by `/ready`, lets those that are accepted end, or cancels them when that takes too long; then
   * stops listening.
   */
  readonly close: () => Promise<void>;
  /** Cancels whatever runs, so that `close` need not wait. */
  readonly stop: () => void;
}

/** Milliseconds. */
export interface Patience {
  /** Until all headers of a request have come. */
  readonly headers: number;
  /** Until all of it has. */
  readonly request: number;
  /** A client that reads nothing of its answer for so long has gone. */
  readonly answer: number;
  /** Between two looks for such clients. */
  readonly look: number;
  /** Between two signs of life on a stream of events on which nothing comes: shorter than what proxies wait. */
  readonly sign: number;
}

const PATIENCE: Patience = { headers: 10_000, request: 30_000, answer: 30_000, look: 1000, sign: 15_000 };
const LARGEST_HEADERS = 16 * 1024;
const IDLE_MS = 75_000;

const KEPT_ANSWERS = 1000;
const KEPT_SIZE = 32 * 1024 ** 2;
const KEPT_MS = 10 * 60_000;

export function createService(options: ServiceOptions): Service {
  const { settings, watch, clock, images, patience = PATIENCE } = options;
  const { workers, requests } = settings;
  const queue = new RunQueue({ workers, requests, clock: clock.elapsed });
  const desk = new RunDesk({ start: options.start, queue, watch, clock });
  const kept = new KeptAnswers({
    entries: KEPT_ANSWERS,
    size: KEPT_SIZE,
    lifetimeMs: KEPT_MS,
    clock: clock.elapsed,
  });
  const parts: ServiceParts = { settings, images: requiredImages(images, watch), desk, queue, kept, watch };
  const state = stateOf(parts, options);
  const app = serverFor(options);
  const answers = trackAnswers(app);
  addHooks(app, parts, patience);
  addHealthRoutes(app, state);
  app.register(async (scope) => addDifyRoutes(scope, parts));
  app.register(async (scope) => {
    askForKey(scope, { keys: settings.keys, watch, refuse: (reply) => sendFault(reply, unauthorized(), parts) });
    addRunRoutes(scope, parts, { clock, patienceMs: patience.answer, signMs: patience.sign });
    scope.get('/openapi.json', () => openApiDocument());
    options.extend?.(scope, state);
  });
  return {
    listen: () => listen(app, settings.address),
    state,
    close: async () => {
      await desk.drain(settings.drainMs);
      const closed = app.close();
      await answers.none(patience.answer, clock);
      // What is left: clients who do not read, or send, and connections that others have made in advance.
      app.server.closeAllConnections();
      await closed;
    },
    stop: () => desk.stop(),
  };
}

function serverFor({ settings, log, patience = PATIENCE }: ServiceOptions): FastifyInstance {
  return fastify({
    ...log,
    bodyLimit: settings.mostBodyBytes,
    requestTimeout: patience.request,
    keepAliveTimeout: IDLE_MS,
    http: {
      maxHeaderSize: LARGEST_HEADERS,
      headersTimeout: patience.headers,
      connectionsCheckingInterval: patience.look,
    },
    exposeHeadRoutes: false,
    forceCloseConnections: 'idle',
    genReqId: () => randomUUID(),
  });
}

function addHooks(app: FastifyInstance, parts: ServiceParts, patience: Patience): void {
  addRequestFacts(app);
  app.removeAllContentTypeParsers();
  // Which form a body has is for each endpoint to find out, in its own way.
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_, body, done) => done(null, body));
  app.setErrorHandler((error, _, reply) => sendFault(reply, error, parts));
  app.setNotFoundHandler((request, reply) => sendNothingThere(app, request, reply));
  app.addHook('onSend', async (_, reply) => {
    reply.header('x-content-type-options', 'nosniff');
    if (parts.desk.isDraining) reply.header('connection', 'close');
    reply.raw.socket?.setTimeout(patience.answer);
  });
}

async function listen(app: FastifyInstance, address: ListenAddress): Promise<ListenAddress> {
  try {
    await app.listen(address);
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'it cannot be used';
    const where = `${address.host}:${address.port}`;
    throw new RootcellarError('E_LISTEN', `the service: cannot listen on \`${where}\` (${code})`, {
      hint: 'stop what listens there, or choose another place: --listen HOST:PORT',
      cause,
    });
  }
  const taken = app.server.address();
  return { host: address.host, port: typeof taken === 'object' && taken !== null ? taken.port : address.port };
}

function stateOf({ desk, queue, settings }: ServiceParts, options: ServiceOptions): () => ServiceState {
  const { images, clock, pools } = options;
  const startedAt = clock.elapsed();
  return () => {
    const served = images.current();
    return {
      phase: desk.isDraining ? 'draining' : served === undefined ? 'preparing' : 'ready',
      uptimeMs: clock.elapsed() - startedAt,
      images: served === undefined ? [] : [servedState(served)],
      problem: images.problem(),
      queueLength: queue.waiting,
      queueCapacity: settings.requests - settings.workers,
      running: queue.running,
      capacity: settings.workers,
      isolation: desk.lastIsolation,
      pools: pools?.() ?? [],
      lastRuns: desk.lastRuns,
    };
  };
}

function servedState(served: NonNullable<ReturnType<ImageSource['current']>>): ServiceState['images'][number] {
  const { name, diffId, generation } = served.image;
  const languages = (['python3', 'nodejs'] as const).filter((language) => served.byLanguage[language] !== undefined);
  return { name, digest: diffId, generation, languages };
}
