import { describe, expect, it } from 'vitest';
import { latencyWindow } from '../../src/serve/latency-window.ts';
import { endedRun } from './watched-runs.ts';

describe('latencyWindow()', () => {
  it('knows nothing before the first run', () => {
    expect(latencyWindow().latencies()).toEqual([]);
  });

  it('gives percentiles for each way to start, the quickest first', () => {
    const window = latencyWindow();
    window.watch.runEnded(endedRun({ start: 'cold', totalMs: 40 }));
    // In no order: 7 and 100 have no common divisor.
    for (let index = 0; index < 100; index += 1) window.watch.runEnded(endedRun({ totalMs: ((index * 7) % 100) + 1 }));
    expect(window.latencies()).toEqual([
      { start: 'warm', runs: 100, p50Ms: 50, p95Ms: 95, p99Ms: 99 },
      { start: 'cold', runs: 1, p50Ms: 40, p95Ms: 40, p99Ms: 40 },
    ]);
  });

  it('forgets all but the last thousand', () => {
    const window = latencyWindow();
    for (let index = 0; index < 1500; index += 1) window.watch.runEnded(endedRun({ totalMs: index < 500 ? 9000 : 1 }));
    expect(window.latencies()).toEqual([{ start: 'warm', runs: 1000, p50Ms: 1, p95Ms: 1, p99Ms: 1 }]);
  });
});
