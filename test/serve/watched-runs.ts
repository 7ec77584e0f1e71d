import type { Digest } from '../../src/base/digest.ts';
import type { EndedRun, RunImage, ServiceState } from '../../src/serve/service-watch.ts';

const DIGEST: Digest = `sha256:${'ab'.repeat(32)}`;

export const IMAGE: RunImage = { name: 'python', digest: DIGEST, generation: 7 };

/** A run that ended well in a warm cell, but for what is said. */
export function endedRun(own: Partial<EndedRun> = {}): EndedRun {
  return {
    requestId: 'req-1',
    trace: {
      traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
      spanId: '00f067aa0ba902b7',
      parentId: undefined,
      isSampled: true,
      isRandom: false,
    },
    endpoint: 'v1',
    language: 'python3',
    keyName: 'builders',
    status: 'ok',
    start: 'warm',
    queueMs: 0.5,
    runMs: 3,
    totalMs: 3.5,
    denied: [],
    image: IMAGE,
    tier: 'A',
    endedAt: Date.UTC(2026, 10, 21, 11, 0, 0),
    ...own,
  };
}

/** A service that is ready and has nothing to do, but for what is said. */
export function serviceState(own: Partial<ServiceState> = {}): ServiceState {
  return {
    phase: 'ready',
    uptimeMs: 90_000,
    images: [{ ...IMAGE, languages: ['python3'] }],
    problem: undefined,
    queueLength: 0,
    queueCapacity: 50,
    running: 0,
    capacity: 4,
    isolation: { tier: 'A', layers: ['mount', 'pid', 'seccomp'], missing: [] },
    pools: [],
    lastRuns: [],
    ...own,
  };
}
