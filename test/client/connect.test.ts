import { once } from 'node:events';
import { createServer } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { RootcellarError } from '../../src/base/rootcellar-error.ts';
import { connect, type Cellar, type ConnectOptions } from '../../src/client/connect.ts';
import type { Surroundings } from '../../src/client/send-run.ts';
import { ANSWER, events, json, problem, scriptedService, type ScriptedService } from './scripted-service.ts';

const KEY = 'a-key-that-is-secret';

const SURROUNDINGS: Surroundings = {
  send: (address, request) => fetch(address, request),
  now: () => Date.UTC(2026, 10, 21, 11, 0, 0),
  pause: async () => undefined,
};

interface Connected {
  readonly cellar: Cellar;
  /** How long the client has waited, in milliseconds; it does not really wait. */
  readonly pauses: readonly number[];
}

function client({ url }: Pick<ScriptedService, 'url'>, options: Partial<ConnectOptions> = {}): Connected {
  const pauses: number[] = [];
  const cellar = connect({ url, key: KEY, ...options }, { ...SURROUNDINGS, pause: async (ms) => void pauses.push(ms) });
  return { cellar, pauses };
}

/** What `promise` is refused with; it never says the key. */
async function faultOf(promise: Promise<unknown>): Promise<RootcellarError> {
  const [outcome] = await Promise.allSettled([promise]);
  const error: unknown = outcome.status === 'rejected' ? outcome.reason : undefined;
  if (!(error instanceof RootcellarError)) throw new Error('it was not refused', { cause: error });
  expect(`${error.message} ${error.hint}`).not.toContain(KEY);
  return error;
}

describe('connect()', () => {
  it('sends a program and gives its report', async () => {
    await using service = await scriptedService(json(ANSWER));
    const result = await client(service).cellar.run({ code: 'print(1)' });
    expect(result).toMatchObject({ status: 'ok', exit_code: 0, stdout: '1\n', queue_ms: 0.25 });
    expect(result.outputs.size).toBe(0);
    expect(service.seen).toMatchObject([
      {
        path: '/v1/run',
        headers: { 'x-api-key': KEY, 'content-type': 'application/json' },
        body: { code: 'print(1)' },
      },
    ]);
    expect(service.seen[0]?.body).toEqual({ code: 'print(1)' });
    expect(Object.keys(service.seen[0]?.headers ?? {})).not.toContain('idempotency-key');
  });

  it('sends bytes as base64, text as text, and nothing that is the client’s alone', async () => {
    await using service = await scriptedService(json(ANSWER));
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    const same = {
      main: 'main.py',
      args: ['a'],
      env: { MODE: 'test' },
      limits: { wall: '2s' },
      network: 'none',
      outputs: ['out.csv'],
    } as const;
    await client(service).cellar.run({
      ...same,
      files: {
        'main.py': 'import data',
        'raw.bin': Uint8Array.of(0, 255),
        'tool.sh': { content: '#!/bin/sh', executable: true },
        'tool.bin': { content: Uint8Array.of(127) },
      },
      stdin: Uint8Array.of(1, 2),
      signal: new AbortController().signal,
      idempotencyKey: 'one',
      traceparent,
    });
    expect(service.seen[0]?.body).toEqual({
      ...same,
      files: {
        'main.py': 'import data',
        'raw.bin': { base64: 'AP8=' },
        'tool.sh': { text: '#!/bin/sh', executable: true },
        'tool.bin': { base64: 'fw==' },
      },
      stdin: { base64: 'AQI=' },
    });
    expect(service.seen[0]?.headers).toMatchObject({ 'idempotency-key': 'one', traceparent });
  });

  it('gives files that were asked for as bytes', async () => {
    await using service = await scriptedService(json({ ...ANSWER, files: [{ path: 'out/a', base64: 'AP8=' }] }));
    const { outputs } = await client(service).cellar.run({ code: '1', outputs: ['out'] });
    expect([...outputs]).toEqual([['out/a', Uint8Array.of(0, 255)]]);
  });

  it('reaches a service below a path of its host', async () => {
    await using service = await scriptedService(json(ANSWER));
    await client(service, { url: `${service.url}/cellar/?x=1#y` }).cellar.run({ code: '1' });
    expect(service.seen[0]?.path).toBe('/cellar/v1/run');
  });

  it.each(['127.0.0.1:8194', 'ftp://127.0.0.1/', 'http://', '', 'http://user:word@127.0.0.1/'])(
    'refuses the address `%s`',
    (url) => {
      expect(() => connect({ url })).toThrow(expect.objectContaining({ code: 'E_USAGE' }));
      expect(() => connect({ url })).not.toThrow(/word@/);
    },
  );

  it.each(['', 'secret\n', ' secret', 'schlüssel'])('refuses the key `%s` without saying it', (key) => {
    expect(() => connect({ url: 'http://127.0.0.1', key })).toThrow(expect.objectContaining({ code: 'E_USAGE' }));
    expect(() => connect({ url: 'http://127.0.0.1', key })).not.toThrow(/secret|schl/);
  });
});

describe('connect() and refusals', () => {
  it.each([{ idempotencyKey: 'a\nb' }, { idempotencyKey: '' }, { traceparent: 'ü' }])(
    'sends nothing of %o',
    async (own) => {
      await using service = await scriptedService(json(ANSWER));
      expect((await faultOf(client(service).cellar.run({ code: '1', ...own }))).code).toBe('E_USAGE');
      expect(service.seen).toEqual([]);
    },
  );

  it('says what the service says', async () => {
    const errors = [{ detail: '`code`: is empty', hint: 'write one' }, { detail: '`nme`: is unknown' }];
    const body = { code: 'E_REQUEST', detail: '`code`: is empty', hint: 'write one', errors };
    await using service = await scriptedService(problem(400, body));
    const fault = await faultOf(client(service).cellar.run({ code: '' }));
    expect(fault).toMatchObject({ code: 'E_REQUEST', message: '`code`: is empty', hint: 'write one' });
    expect(fault.problems.map(({ message }) => message)).toEqual(['`code`: is empty', '`nme`: is unknown']);
    expect(service.seen).toHaveLength(1);
  });

  it('tells a wrong key from other faults', async () => {
    await using service = await scriptedService(problem(401, { code: 'E_UNAUTHORIZED', detail: 'no key' }));
    expect((await faultOf(client(service).cellar.run({ code: '1' }))).code).toBe('E_UNAUTHORIZED');
  });

  it('has one code for what is the service’s own fault', async () => {
    await using service = await scriptedService(problem(500, { code: 'E_INTERNAL', detail: 'this is a bug' }));
    const fault = await faultOf(client(service).cellar.run({ code: '1' }));
    expect(fault).toMatchObject({ code: 'E_SERVICE_FAILED', message: 'this is a bug' });
  });

  it.each([
    ['a page', 200, '<html></html>'],
    ['JSON of something else', 200, '{"ok":true}'],
    ['a report that is none', 200, '{"report":{},"queue_ms":1}'],
    ['a page that says no', 502, '<html>Bad Gateway</html>'],
    ['a redirect', 302, ''],
  ])('is not taken in by %s', async (_, status, body) => {
    await using elsewhere = await scriptedService(json(ANSWER));
    await using service = await scriptedService((response) => {
      response.writeHead(status, { 'content-type': 'text/html', location: `${elsewhere.url}/v1/run` });
      response.end(body);
    });
    expect((await faultOf(client(service).cellar.run({ code: '1' }))).code).toBe('E_SERVICE_ANSWER');
    expect(elsewhere.seen).toEqual([]);
  });
});

const BUSY = { code: 'E_BUSY', detail: 'the service is full' };

describe('connect() and retries', () => {
  it.each([
    [429, '3', 3000],
    [503, '0', 0],
    [503, 'Sat, 21 Nov 2026 11:00:07 GMT', 7000],
    [503, 'Sat, 21 Nov 2026 10:00:00 GMT', 0],
    [429, '86400', 60_000],
  ])('comes back after %i when it is told to: %s', async (status, retryAfter, ms) => {
    await using service = await scriptedService(problem(status, BUSY, { 'retry-after': retryAfter }), json(ANSWER));
    const { cellar, pauses } = client(service);
    expect(await cellar.run({ code: '1' })).toMatchObject({ status: 'ok' });
    expect(pauses).toEqual([ms]);
    expect(service.seen.map(({ body }) => body)).toEqual([{ code: '1' }, { code: '1' }]);
  });

  it('gives up after as many as were allowed', async () => {
    await using service = await scriptedService(problem(429, BUSY, { 'retry-after': '1' }));
    const { cellar, pauses } = client(service, { retries: 2 });
    expect((await faultOf(cellar.run({ code: '1' }))).code).toBe('E_BUSY');
    expect(pauses).toEqual([1000, 1000]);
    expect(service.seen).toHaveLength(3);
  });

  it.each([
    [503, {}],
    [503, { 'retry-after': 'soon' }],
    [500, { 'retry-after': '1' }],
    [400, { 'retry-after': '1' }],
  ])('does not come back after %i with %o', async (status, headers: Record<string, string>) => {
    await using service = await scriptedService(problem(status, BUSY, headers));
    const { cellar, pauses } = client(service);
    await faultOf(cellar.run({ code: '1' }));
    expect(pauses).toEqual([]);
    expect(service.seen).toHaveLength(1);
  });

  it('does not run twice what may have been run', async () => {
    await using service = await scriptedService((response) => response.destroy(), json(ANSWER));
    expect((await faultOf(client(service).cellar.run({ code: '1' }))).code).toBe('E_SERVICE_LOST');
    expect(service.seen).toHaveLength(1);
  });

  it('asks again for what has an idempotency key', async () => {
    await using service = await scriptedService((response) => response.destroy(), json(ANSWER));
    expect(await client(service).cellar.run({ code: '1', idempotencyKey: 'one' })).toMatchObject({ status: 'ok' });
    expect(service.seen.map(({ headers }) => headers['idempotency-key'])).toEqual(['one', 'one']);
  });

  it('does not hand on the same output twice', async () => {
    const told: (() => void)[] = [];
    await using service = await scriptedService((response) => {
      events(response, ['stdout', { text: 'once' }]);
      told.push(() => response.destroy());
    });
    const heard: string[] = [];
    const onOutput = (_: string, bytes: Uint8Array): void => {
      heard.push(Buffer.from(bytes).toString());
      for (const destroy of told) destroy();
    };
    const run = client(service).cellar.run({ code: '1', idempotencyKey: 'one', onOutput });
    expect((await faultOf(run)).code).toBe('E_SERVICE_LOST');
    expect(heard).toEqual(['once']);
    expect(service.seen).toHaveLength(1);
  });

  it('says that nobody is there', async () => {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const url = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
    server.close();
    await once(server, 'close');
    const { cellar, pauses } = client({ url });
    const fault = await faultOf(cellar.run({ code: '1', idempotencyKey: 'one' }));
    expect(pauses).toEqual([]);
    expect(fault.code).toBe('E_SERVICE_UNREACHABLE');
    expect(fault.message).toBe(`the service at \`${url}\`: does not answer (ECONNREFUSED)`);
  });
});

describe('connect() and output as it comes', () => {
  it('hands on bytes in order, whatever they are, and gives the report', async () => {
    await using service = await scriptedService((response) => {
      events(response, ['stdout', { text: 'näh ✓' }], ['stderr', { base64: '/wA=' }], ['stdout', { text: 'end' }]);
      events(response, ['report', ANSWER]);
      response.end();
    });
    const heard: unknown[] = [];
    const onOutput = (name: string, bytes: Uint8Array): void => void heard.push([name, [...bytes]]);
    const result = await client(service).cellar.run({ code: '1', onOutput });
    expect(result).toMatchObject({ status: 'ok', queue_ms: 0.25 });
    expect(heard).toEqual([
      ['stdout', [...Buffer.from('näh ✓')]],
      ['stderr', [255, 0]],
      ['stdout', [...Buffer.from('end')]],
    ]);
    expect(service.seen[0]).toMatchObject({ body: { stream: true }, headers: { accept: 'text/event-stream' } });
  });

  it('hands on nothing while its listener is at work', async () => {
    const order: string[] = [];
    await using service = await scriptedService((response) => {
      events(response, ['stdout', { text: 'a' }], ['stdout', { text: 'b' }], ['report', ANSWER]);
      response.end();
    });
    const onOutput = async (_: string, bytes: Uint8Array): Promise<void> => {
      order.push(`begin ${Buffer.from(bytes).toString()}`);
      await setImmediate();
      order.push('end');
    };
    await client(service).cellar.run({ code: '1', onOutput });
    expect(order).toEqual(['begin a', 'end', 'begin b', 'end']);
  });

  it('ends the run when its listener throws, and throws the same', async () => {
    const closed: Promise<unknown>[] = [];
    await using service = await scriptedService((response) => {
      closed.push(once(response, 'close'));
      events(response, ['stdout', { text: 'a' }]);
    });
    const own = new Error('enough');
    const onOutput = (): never => {
      throw own;
    };
    await expect(client(service).cellar.run({ code: '1', onOutput, idempotencyKey: 'one' })).rejects.toBe(own);
    await closed[0];
    expect(service.seen).toHaveLength(1);
  });

  it('says why nothing was run, in the middle of a stream too', async () => {
    await using service = await scriptedService((response) => {
      events(response, ['problem', { code: 'E_SANDBOX', detail: 'no cell', status: 500 }]);
      response.end();
    });
    const fault = await faultOf(client(service).cellar.run({ code: '1', onOutput: () => undefined }));
    expect(fault).toMatchObject({ code: 'E_SANDBOX', message: 'no cell' });
  });

  it('knows a stream that ended too early, and one that is none', async () => {
    await using service = await scriptedService((response) => {
      events(response, ['stdout', { text: 'a' }]);
      response.end();
    }, json(ANSWER));
    const { cellar } = client(service);
    const run = { code: '1', onOutput: () => undefined };
    expect((await faultOf(cellar.run(run))).code).toBe('E_SERVICE_LOST');
    expect((await faultOf(cellar.run(run))).code).toBe('E_SERVICE_ANSWER');
  });
});

describe('connect() and abortion', () => {
  it('sends nothing when it was aborted before', async () => {
    await using service = await scriptedService(json(ANSWER));
    const reason = new Error('too late');
    await expect(client(service).cellar.run({ code: '1', signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(service.seen).toEqual([]);
  });

  it('lets the connection go, which ends the run', async () => {
    const abort = new AbortController();
    const reason = new Error('no more');
    const closed: Promise<unknown>[] = [];
    await using service = await scriptedService((response) => {
      closed.push(once(response, 'close'));
      abort.abort(reason);
    });
    await expect(client(service).cellar.run({ code: '1', signal: abort.signal })).rejects.toBe(reason);
    await closed[0];
    expect(service.seen).toHaveLength(1);
  });

  it('does not wait for a busy service any longer', async () => {
    const abort = new AbortController();
    const reason = new Error('no more');
    await using service = await scriptedService(problem(429, BUSY, { 'retry-after': '3600' }));
    const run = connect({ url: service.url, key: KEY }).run({ code: '1', signal: abort.signal });
    const abortLater = async (): Promise<void> => {
      while (service.seen.length === 0) await setImmediate();
      abort.abort(reason);
    };
    await Promise.all([expect(run).rejects.toBe(reason), abortLater()]);
  });

  it('throws the signal’s reason, not that of the clock', async () => {
    const abort = new AbortController();
    const reason = new Error('no more');
    await using service = await scriptedService(problem(429, BUSY, { 'retry-after': '3600' }));
    const pause = async (): Promise<never> => {
      abort.abort(reason);
      throw new Error('the clock was stopped');
    };
    const cellar = connect({ url: service.url, key: KEY }, { ...SURROUNDINGS, pause });
    await expect(cellar.run({ code: '1', signal: abort.signal })).rejects.toBe(reason);
  });
});
