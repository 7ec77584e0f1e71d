import type { FastifyInstance } from 'fastify';
import { latencyWindow } from './latency-window.ts';
import { serviceMetrics } from './metrics.ts';
import { runLog } from './run-log.ts';
import { watchedBy, type ServiceState, type ServiceWatch } from './service-watch.ts';
import { softwareVersions } from './software-versions.ts';
import { statusJson } from './status-json.ts';
import { statusPage } from './status-page.ts';

export interface WatchSettings {
  readonly state: () => ServiceState;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/**
 * Adds `/`, `/v1/status` and `/metrics` to the service, and gives what feeds them and the log. They are behind the service's own
 * check of keys, like all that it has when this is called.
 */
export function registerWatchRoutes(app: FastifyInstance, { state, now }: WatchSettings): ServiceWatch {
  const versions = softwareVersions();
  const metrics = serviceMetrics({ state, versions });
  const latency = latencyWindow();
  const page = statusPage();
  app.get('/metrics', async (_, reply) => reply.type(metrics.contentType).send(await metrics.text()));
  app.get('/v1/status', (_, reply) =>
    reply
      .header('cache-control', 'no-store')
      .send(statusJson({ state: state(), latencies: latency.latencies(), version: versions.version, now: now() })),
  );
  app.get('/', (_, reply) =>
    reply
      .type('text/html; charset=utf-8')
      .headers({
        'cache-control': 'no-store',
        'content-security-policy': page.contentSecurityPolicy,
        'cross-origin-opener-policy': 'same-origin',
        'cross-origin-resource-policy': 'same-origin',
        'referrer-policy': 'no-referrer',
        'x-content-type-options': 'nosniff',
      })
      .send(page.html),
  );
  return watchedBy([metrics.watch, latency.watch, runLog(app.log)]);
}
