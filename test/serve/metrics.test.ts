import { describe, expect, it } from 'vitest';
import { serviceMetrics, type ServiceMetrics } from '../../src/serve/metrics.ts';
import type { ServiceState } from '../../src/serve/service-watch.ts';
import { endedRun, IMAGE, serviceState } from './watched-runs.ts';

const VERSIONS = { version: '1.2.3', node: 'v20.19.0' };

function metricsOf(state: () => ServiceState = () => serviceState()): ServiceMetrics {
  const metrics = serviceMetrics(VERSIONS);
  metrics.observe(state);
  return metrics;
}

/** The lines of one metric, without those that explain it. */
async function linesOf(metrics: ServiceMetrics, name: string): Promise<readonly string[]> {
  return (await metrics.text()).split('\n').filter((line) => line.startsWith(name));
}

describe('serviceMetrics()', () => {
  it('counts runs by endpoint, language, status and start', async () => {
    const metrics = metricsOf();
    metrics.watch.runEnded(endedRun());
    metrics.watch.runEnded(endedRun());
    metrics.watch.runEnded(endedRun({ endpoint: 'dify', language: 'nodejs', status: 'timeout', start: 'cold' }));
    expect(await linesOf(metrics, 'rootcellar_runs_total')).toEqual([
      'rootcellar_runs_total{endpoint="v1",language="python3",status="ok",start="warm"} 2',
      'rootcellar_runs_total{endpoint="dify",language="nodejs",status="timeout",start="cold"} 1',
    ]);
  });

  it('measures times in seconds, in buckets from a millisecond to a minute', async () => {
    const metrics = metricsOf();
    metrics.watch.runStarted(endedRun(), 1500);
    metrics.watch.runEnded(endedRun({ runMs: 3 }));
    const queue = await linesOf(metrics, 'rootcellar_run_queue_seconds');
    expect(queue).toContain('rootcellar_run_queue_seconds_sum{endpoint="v1"} 1.5');
    expect(queue).toContain('rootcellar_run_queue_seconds_bucket{le="1",endpoint="v1"} 0');
    expect(queue).toContain('rootcellar_run_queue_seconds_bucket{le="2",endpoint="v1"} 1');
    const run = await linesOf(metrics, 'rootcellar_run_duration_seconds_bucket');
    expect(run[0]).toBe('rootcellar_run_duration_seconds_bucket{le="0.001",language="python3",start="warm"} 0');
    expect(run).toContain('rootcellar_run_duration_seconds_bucket{le="0.005",language="python3",start="warm"} 1');
    expect(run.at(-2)).toContain('le="60"');
  });

  it('names denied calls by our tables alone, whatever the guest called', async () => {
    const metrics = metricsOf();
    metrics.watch.runEnded(
      endedRun({
        denied: [
          { syscall: 'socket', nr: 41, arch: 'amd64', count: 3 },
          { syscall: 'syscall_900', nr: 900, arch: 'amd64', count: 2 },
          { syscall: 'syscall_901', nr: 901, arch: 'amd64', count: 1 },
          { syscall: 'waitpid', nr: 7, arch: 'i386', count: 1 },
          { syscall: 'socket', nr: 281, arch: 'arm', count: 5 },
        ],
      }),
    );
    expect(await linesOf(metrics, 'rootcellar_denied_calls_total')).toEqual([
      'rootcellar_denied_calls_total{syscall="socket"} 3',
      'rootcellar_denied_calls_total{syscall="unknown"} 8',
      'rootcellar_denied_calls_total{syscall="waitpid"} 1',
    ]);
  });

  it('has every reason for a rejection from the start, at zero', async () => {
    const metrics = metricsOf();
    metrics.watch.requestRejected('queue_full');
    const lines = await linesOf(metrics, 'rootcellar_requests_rejected_total');
    expect(lines).toContain('rootcellar_requests_rejected_total{reason="queue_full"} 1');
    expect(lines).toContain('rootcellar_requests_rejected_total{reason="unauthorized"} 0');
  });

  it('keeps no more than a few reasons why zygotes were recycled', async () => {
    const metrics = metricsOf();
    for (let index = 0; index < 100; index += 1) metrics.watch.zygoteRecycled(`anomaly_${index}`);
    const lines = await linesOf(metrics, 'rootcellar_zygotes_recycled_total');
    expect(lines).toHaveLength(17);
    expect(lines).toContain('rootcellar_zygotes_recycled_total{reason="other"} 84');
  });

  it('tells the state of the moment in which it is asked', async () => {
    let state = serviceState({ running: 2, queueLength: 9, pools: [{ image: IMAGE, size: 4, free: 1 }] });
    const metrics = metricsOf(() => state);
    expect(await linesOf(metrics, 'rootcellar_runs_in_flight')).toEqual(['rootcellar_runs_in_flight 2']);
    expect(await linesOf(metrics, 'rootcellar_pool')).toEqual([
      'rootcellar_pool_cells{image="python",generation="7"} 4',
      'rootcellar_pool_free_cells{image="python",generation="7"} 1',
    ]);
    const next = { ...IMAGE, generation: 8 };
    state = serviceState({
      phase: 'draining',
      problem: 'pip failed',
      images: [{ ...next, languages: ['python3'] }],
      pools: [{ image: next, size: 4, free: 4 }],
    });
    expect(await linesOf(metrics, 'rootcellar_ready')).toEqual(['rootcellar_ready 0']);
    expect(await linesOf(metrics, 'rootcellar_problem')).toEqual(['rootcellar_problem 1']);
    expect(await linesOf(metrics, 'rootcellar_queue_length')).toEqual(['rootcellar_queue_length 0']);
    expect(await linesOf(metrics, 'rootcellar_image_info')).toEqual([
      `rootcellar_image_info{image="python",generation="8",digest="${IMAGE.digest}"} 1`,
    ]);
    expect(await linesOf(metrics, 'rootcellar_pool_free_cells')).toEqual([
      'rootcellar_pool_free_cells{image="python",generation="8"} 4',
    ]);
  });

  it('counts refreshes by their result, each from the start, and has the time of the last good one', async () => {
    const metrics = metricsOf();
    const total = 'rootcellar_refreshes_total';
    const success = 'rootcellar_refresh_last_success_timestamp_seconds';
    expect(await linesOf(metrics, success)).toEqual([`${success} 0`]);
    for (const [endedAt, result] of [
      [5000, 'switched'],
      [7500, 'current'],
      [9000, 'kept'],
      [9500, 'failed'],
      [9600, 'failed'],
    ] as const) {
      metrics.watch.refreshEnded({ image: 'python', result, durationMs: 1, endedAt });
    }
    expect(await linesOf(metrics, total)).toEqual([
      `${total}{result="current"} 1`,
      `${total}{result="switched"} 1`,
      `${total}{result="kept"} 1`,
      `${total}{result="failed"} 2`,
    ]);
    expect(await linesOf(metrics, success)).toEqual([`${success} 7.5`]);
  });

  it('keeps two services in one process apart', async () => {
    const [one, other] = [metricsOf(), metricsOf()];
    one.watch.runEnded(endedRun());
    expect(await linesOf(other, 'rootcellar_runs_total')).toEqual([]);
  });

  it('follows the conventions for names, and brings those of the process', async () => {
    const metrics = metricsOf();
    const types = (await metrics.text()).matchAll(/^# TYPE (\S+) (\S+)$/gm);
    const byName = new Map([...types].map(([, name, type]) => [name ?? '', type]));
    const own = [...byName].filter(([name]) => !/^(?:process|nodejs)_/.test(name));
    expect(own.length).toBeGreaterThan(10);
    for (const [name, type] of own) {
      expect(name).toMatch(/^rootcellar_[a-z_]+$/);
      expect(name.endsWith('_total'), name).toBe(type === 'counter');
      expect(/(?<!_timestamp)_seconds$/.test(name), name).toBe(type === 'histogram');
    }
    expect(byName.has('process_resident_memory_bytes')).toBe(true);
    expect(await linesOf(metrics, 'rootcellar_build_info')).toEqual([
      'rootcellar_build_info{version="1.2.3",node="v20.19.0"} 1',
    ]);
  });
});
