import Fastify from 'fastify';
import type { EndedRun, ServiceState, ServiceWatch } from '../../src/serve/service-watch.ts';
import { serviceWatching } from '../../src/serve/watching.ts';
import { endedRun, IMAGE, serviceState } from './watched-runs.ts';

/** The routes of whoever watches, on a real server of loopback, without a service behind them. */
export interface WatchedService extends AsyncDisposable {
  /** With a slash at the end. */
  readonly url: string;
  readonly watch: ServiceWatch;
  /** What the service says of itself from now on. */
  readonly become: (state: Partial<ServiceState>) => void;
  readonly close: () => Promise<void>;
}

/** `port`: a free one when undefined. */
export async function startWatchedService(port = 0): Promise<WatchedService> {
  let state = serviceState();
  const { watch, log, extend } = serviceWatching({
    stream: { write: () => undefined },
    now: () => Date.UTC(2026, 10, 21, 11, 0, 0),
  });
  const app = Fastify(log);
  extend(app, () => state);
  const address = await app.listen({ port, host: '127.0.0.1', listenTextResolver: () => '' });
  const close = async (): Promise<void> => {
    app.server.closeAllConnections();
    await app.close();
  };
  return {
    url: `${address}/`,
    watch,
    become: (own) => {
      state = serviceState(own);
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** A hundred runs as a busy service has them, the newest first: most are warm, some fail. */
export function busyRuns(): readonly EndedRun[] {
  return Array.from({ length: 100 }, (_, index) => {
    const start = index % 9 === 4 ? 'cold' : index % 5 === 2 ? 'forked' : 'warm';
    const runMs = { warm: 2.1, forked: 8, cold: 26 }[start] * (1 + ((index * 37) % 23) / 12);
    const queueMs = ((index * 53) % 11) / 8;
    const isDenied = index % 17 === 3;
    const isLate = index === 13;
    return endedRun({
      requestId: `3f0c9a${(199 - index).toString(16)}-9d1e-4f0a-b7c4-5a2d1e8f6b03`,
      start,
      language: index % 7 === 1 ? 'nodejs' : 'python3',
      endpoint: index % 3 === 0 ? 'dify' : 'v1',
      status: isLate ? 'timeout' : isDenied ? 'error' : 'ok',
      denied: isDenied ? [{ syscall: 'socket', nr: 41, arch: 'amd64', count: 1 + (index % 4) }] : [],
      queueMs,
      runMs: isLate ? 10_000 : runMs,
      totalMs: queueMs + (isLate ? 10_000 : runMs),
      endedAt: Date.UTC(2026, 10, 21, 10, 59, 59) - index * 730,
    });
  });
}

/** A service that has much to do, on a host where a layer is missing. */
export function busyState(): Partial<ServiceState> {
  return {
    uptimeMs: 266_400_000,
    images: [{ ...IMAGE, languages: ['python3', 'nodejs'] }],
    running: 3,
    queueLength: 7,
    pools: [{ image: IMAGE, size: 8, free: 5 }],
    isolation: {
      tier: 'B',
      layers: [
        'user-namespace',
        'mount-namespace',
        'pid-namespace',
        'ipc-namespace',
        'uts-namespace',
        'network-namespace',
        'read-only-root',
        'private-tmp',
        'private-dev',
        'no-capabilities',
        'no-new-privileges',
        'rlimits',
        'seccomp',
        'seccomp-notify',
        'landlock',
      ],
      missing: ['cgroup-limits', 'own-uid'],
    },
    lastRuns: busyRuns(),
  };
}
