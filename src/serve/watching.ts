import type { FastifyInstance } from 'fastify';
import { latencyWindow } from './latency-window.ts';
import { serviceMetrics } from './metrics.ts';
import { refreshMemory } from './refresh-memory.ts';
import { runLog } from './run-log.ts';
import { quietController, serviceLog, type LogDestination } from './service-log.ts';
import type { ServiceOptions } from './service.ts';
import { watchedBy, type ServiceWatch } from './service-watch.ts';
import { softwareVersions } from './software-versions.ts';
import { statusJson, type StatusJson } from './status-json.ts';
import { statusPage } from './status-page.ts';

/** All by which a service is watched, as `createService` takes it. */
export interface Watching {
  readonly watch: ServiceWatch;
  readonly log: NonNullable<ServiceOptions['log']>;
  readonly extend: NonNullable<ServiceOptions['extend']>;
}

/** Metrics, log and status page of one service. */
export function serviceWatching(destination: LogDestination): Watching {
  const { now } = destination;
  const logger = serviceLog(destination);
  const versions = softwareVersions();
  const metrics = serviceMetrics(versions);
  const latency = latencyWindow();
  const refreshes = refreshMemory();
  return {
    watch: watchedBy([metrics.watch, latency.watch, refreshes.watch, runLog(logger)]),
    log: { loggerInstance: logger, logController: quietController() },
    extend: (app, state) => {
      metrics.observe(state);
      const status = (): StatusJson =>
        statusJson({
          state: state(),
          latencies: latency.latencies(),
          refreshes: refreshes.states(),
          version: versions.version,
          now: now(),
        });
      app.get('/metrics', async (_, reply) => reply.type(metrics.contentType).send(await metrics.text()));
      app.get('/v1/status', (_, reply) => reply.header('cache-control', 'no-store').send(status()));
      addStatusPage(app);
    },
  };
}

function addStatusPage(app: FastifyInstance): void {
  const { html, contentSecurityPolicy } = statusPage();
  app.get('/', (_, reply) =>
    reply
      .type('text/html; charset=utf-8')
      .headers({
        'cache-control': 'no-store',
        'content-security-policy': contentSecurityPolicy,
        'cross-origin-opener-policy': 'same-origin',
        'cross-origin-resource-policy': 'same-origin',
        'referrer-policy': 'no-referrer',
        'x-content-type-options': 'nosniff',
      })
      .send(html),
  );
}
