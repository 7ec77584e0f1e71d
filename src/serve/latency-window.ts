import type { StartKind } from '../run/run-report.ts';
import { UNWATCHED, type ServiceWatch } from './service-watch.ts';

/** Of the last runs of one start kind, from the acceptance of their requests to their reports. */
export interface Latency {
  readonly start: StartKind;
  /** How many runs these numbers are of. */
  readonly runs: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
}

export interface LatencyWindow {
  readonly watch: ServiceWatch;
  /** The quickest way to start first; ways that no run was started by are left out. */
  readonly latencies: () => readonly Latency[];
}

/** As many as a 99th percentile needs to mean something, and no more than can be sorted at each look. */
const LONGEST = 1000;

const STARTS: readonly StartKind[] = ['warm', 'forked', 'cold'];

/** Remembers how long the last runs took, by how they were started. */
export function latencyWindow(): LatencyWindow {
  const times = new Map(STARTS.map((start) => [start, { ring: new Float64Array(LONGEST), seen: 0 }]));
  return {
    watch: {
      ...UNWATCHED,
      runEnded: ({ start, totalMs }) => {
        const window = times.get(start);
        if (window === undefined) throw new Error(`unreachable: no window for ${start}`);
        window.ring[window.seen % LONGEST] = totalMs;
        window.seen += 1;
      },
    },
    latencies: () =>
      [...times].flatMap(([start, { ring, seen }]) => {
        const sorted = ring.slice(0, Math.min(seen, LONGEST)).toSorted();
        const [p50Ms, p95Ms, p99Ms] = [50, 95, 99].map((percent) => percentile(sorted, percent));
        if (p50Ms === undefined || p95Ms === undefined || p99Ms === undefined) return [];
        return [{ start, runs: sorted.length, p50Ms, p95Ms, p99Ms }];
      }),
  };
}

/** The smallest of `sorted` that `percent` of all do not exceed; undefined when there are none. */
function percentile(sorted: Float64Array, percent: number): number | undefined {
  return sorted[Math.ceil((sorted.length * percent) / 100) - 1];
}
