import Fastify, { type FastifyInstance } from 'fastify';
import { describe, expect, it } from 'vitest';
import { RootcellarError } from '../../src/base/rootcellar-error.ts';
import { runLog } from '../../src/serve/run-log.ts';
import { quietController, serviceLog } from '../../src/serve/service-log.ts';
import type { ServiceWatch } from '../../src/serve/service-watch.ts';
import { endedRun } from './watched-runs.ts';

interface Logged {
  readonly app: FastifyInstance;
  readonly watch: ServiceWatch;
  readonly text: () => string;
  /** Every line that was written, read as JSON. */
  readonly lines: () => readonly unknown[];
}

function logged(): Logged {
  const written: string[] = [];
  const stream = { write: (line: string) => void written.push(line) };
  const log = serviceLog({ stream, now: () => Date.UTC(2026, 10, 21, 11, 0, 0) });
  const app = Fastify({ loggerInstance: log, logController: quietController() });
  return {
    app,
    watch: runLog(log),
    text: () => written.join(''),
    lines: () =>
      written
        .join('')
        .split('\n')
        .filter((line) => line !== '')
        .map((line): unknown => JSON.parse(line)),
  };
}

describe('runLog()', () => {
  it('writes one line for a refresh', () => {
    const { watch, lines } = logged();
    watch.refreshPlanned({ image: 'python', dueAt: 5 });
    watch.refreshEnded({ image: 'python', result: 'kept', durationMs: 12.4, endedAt: 0 });
    expect(lines()).toEqual([
      {
        level: 'warn',
        time: '2026-11-21T11:00:00.000Z',
        event: 'refresh',
        image: 'python',
        result: 'kept',
        duration_ms: 12,
        msg: 'refresh ended: kept',
      },
    ]);
  });

  it('writes one line for a run', () => {
    const { watch, lines } = logged();
    const denied = [{ syscall: 'socket', nr: 41, arch: 'amd64', count: 2 }] as const;
    watch.runQueued(endedRun());
    watch.runStarted(endedRun(), 0.5);
    watch.runEnded(endedRun({ queueMs: 0.521, denied }));
    expect(lines()).toEqual([
      {
        level: 'info',
        time: '2026-11-21T11:00:00.000Z',
        event: 'run',
        request_id: 'req-1',
        trace_id: '4bf92f3577b34da6a3ce929d0e0e4736',
        span_id: '00f067aa0ba902b7',
        key: 'builders',
        endpoint: 'v1',
        language: 'python3',
        status: 'ok',
        start: 'warm',
        queue_ms: 0.5,
        run_ms: 3,
        total_ms: 3.5,
        denied: [{ syscall: 'socket', arch: 'amd64', count: 2 }],
        image: { name: 'python', digest: `sha256:${'ab'.repeat(32)}`, generation: 7 },
        tier: 'A',
        msg: 'run ended: ok',
      },
    ]);
  });

  it('joins a run with the span of who asked', () => {
    const { watch, lines } = logged();
    const { trace } = endedRun();
    watch.runEnded(endedRun({ trace: { ...trace, parentId: 'd75597dee50b0cac' } }));
    expect(lines()).toMatchObject([{ trace_id: trace.traceId, parent_id: 'd75597dee50b0cac' }]);
  });

  it('writes why a request had no run, and how bad that is', () => {
    const { watch, lines } = logged();
    watch.requestRejected('unauthorized');
    watch.requestRejected('queue_full', endedRun());
    watch.requestRejected('sandbox', endedRun());
    watch.runEnded(endedRun({ status: 'internal' }));
    watch.noticed({ level: 'warning', message: 'the image could not be refreshed' });
    watch.zygoteRecycled('age');
    expect(lines()).toMatchObject([
      { level: 'info', event: 'rejected', reason: 'unauthorized' },
      { level: 'warn', event: 'rejected', reason: 'queue_full', request_id: 'req-1', key: 'builders' },
      { level: 'error', event: 'rejected', reason: 'sandbox' },
      { level: 'error', event: 'run', status: 'internal' },
      { level: 'warn', event: 'notice', msg: 'the image could not be refreshed' },
      { level: 'info', event: 'recycled', reason: 'age' },
    ]);
  });
});

/** Of letters alone, as fastify's own words are. */
const SECRET = 'swordfish';

describe('serviceLog()', () => {
  it('keeps what a client wrote out of the lines of the HTTP layer', async () => {
    const { app, text, lines } = logged();
    app.get('/thrown', () => {
      throw new Error(`cannot do ${SECRET}\n    at ${SECRET}`, { cause: new TypeError(SECRET) });
    });
    app.get('/refused', () => {
      throw new RootcellarError('E_USAGE', `\`${SECRET}\` is not a limit`);
    });
    app.get('/bare', () => {
      throw new Error(SECRET);
    });
    app.post('/body', () => 'ok');
    const headers = { 'x-api-key': SECRET, authorization: `Bearer ${SECRET}`, cookie: SECRET };
    expect((await app.inject({ url: `/thrown?key=${SECRET}`, headers })).statusCode).toBe(500);
    expect((await app.inject({ url: '/bare', headers })).statusCode).toBe(500);
    expect((await app.inject({ url: '/refused', headers })).statusCode).toBe(500);
    expect((await app.inject({ url: `/none/${SECRET}`, headers })).statusCode).toBe(404);
    const malformed = {
      method: 'POST',
      url: '/body',
      headers: { ...headers, 'content-type': 'application/json' },
    } as const;
    expect((await app.inject({ ...malformed, payload: `{"code": ${SECRET}` })).statusCode).toBe(400);
    app.log.error(new Error(SECRET));
    app.log.info(`Route GET:/${SECRET} not found`);
    expect(text()).not.toContain(SECRET);
    const thrown = lines().find((line) => JSON.stringify(line).includes('TypeError'));
    expect(thrown).toMatchObject({
      level: 'error',
      event: 'http',
      err: { type: 'Error', cause: { type: 'TypeError' } },
    });
    expect(JSON.stringify(thrown)).toContain('run-log.test.ts');
    expect(thrown).toHaveProperty('request_id');
  });

  it('tells what is wrong with the machine', async () => {
    const { app, lines } = logged();
    app.get('/', () => {
      throw new RootcellarError('E_SANDBOX', 'this host can give no cell');
    });
    await app.inject('/');
    expect(lines()).toMatchObject([{ err: { code: 'E_SANDBOX', message: 'this host can give no cell' } }]);
  });

  it('tells where the service listens', async () => {
    const { app, lines } = logged();
    const url = await app.listen({ port: 0, host: '127.0.0.1' });
    await app.close();
    expect(lines()).toMatchObject([{ msg: `Server listening at ${url}` }]);
  });
});
