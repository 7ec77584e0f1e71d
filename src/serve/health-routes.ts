import type { FastifyInstance } from 'fastify';
import type { ServiceState } from './service-watch.ts';

/**
 * For whoever has to know whether the service lives and whether it takes requests; no key is asked for, and nothing else is
 * told. `/health` answers as dify-sandbox does.
 */
export function addHealthRoutes(app: FastifyInstance, state: () => Pick<ServiceState, 'phase' | 'problem'>): void {
  app.get('/health', (_, reply) => reply.header('content-type', 'application/json; charset=utf-8').send('"ok"'));
  app.get('/ready', (_, reply) => {
    const { phase } = state();
    return reply.code(phase === 'ready' ? 200 : 503).send({ status: phase });
  });
}
