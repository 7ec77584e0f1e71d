import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connect } from '../../src/client/connect.ts';
import { CANNOT_SANDBOX } from '../native/toy-cell.ts';
import { toyCellar, type ToyCellar } from '../support/toy-service.ts';
import { watchedToy, type WatchedToy } from '../support/watched-toy.ts';
import { launchBrowser } from './browser.ts';

let cellar: ToyCellar;
beforeAll(async () => {
  cellar = await toyCellar({ sandbox: '{ network: host, limits: { wall: 5s, cpu: 5s } }' });
}, 120_000);
afterAll(() => cellar[Symbol.asyncDispose]());

interface LogLine {
  readonly event: string;
}

/** All but those on which image is served, and where. */
function logLines({ log }: WatchedToy): readonly LogLine[] {
  const lines: readonly LogLine[] = log()
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(lines.slice(0, 2)).toMatchObject([
    { event: 'notice' },
    { msg: expect.stringMatching(/^Server listening at/) },
  ]);
  return lines.slice(2);
}

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';

describe.skipIf(CANNOT_SANDBOX)('a service that is watched', () => {
  it('logs a run under the trace of who asked, and answers with it', async () => {
    await using toy = await watchedToy(cellar);
    const response = await fetch(`${toy.url}/v1/run`, {
      method: 'POST',
      headers: {
        'x-api-key': toy.key,
        'content-type': 'application/json',
        traceparent: `00-${TRACE}-00f067aa0ba902b7-03`,
      },
      body: JSON.stringify({ code: 'print(1)' }),
    });
    expect(response.status).toBe(200);
    await response.text();
    const [, spanId] =
      /^00-4bf92f3577b34da6a3ce929d0e0e4736-([0-9a-f]{16})-03$/.exec(response.headers.get('traceresponse') ?? '') ?? [];
    expect(spanId).toMatch(/^[0-9a-f]{16}$/);
    expect(logLines(toy)).toEqual([
      {
        level: 'info',
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
        event: 'run',
        request_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
        trace_id: TRACE,
        span_id: spanId,
        parent_id: '00f067aa0ba902b7',
        key: 'builders',
        endpoint: 'v1',
        language: 'python3',
        status: 'ok',
        start: 'cold',
        queue_ms: expect.any(Number),
        run_ms: expect.any(Number),
        total_ms: expect.any(Number),
        denied: [],
        image: { name: 'toy', digest: cellar.image.diffId, generation: cellar.image.generation },
        tier: expect.stringMatching(/^[A-D]$/),
        msg: 'run ended: ok',
      },
    ]);
  });

  it('counts what ran and what was denied', async () => {
    await using toy = await watchedToy(cellar);
    const service = connect({ url: toy.url, key: toy.key });
    await service.run({ code: 'import os\ntry:\n  os.fork()\nexcept OSError:\n  pass' });
    await service.run({ code: 'raise SystemExit(3)' });
    expect((await fetch(`${toy.url}/v1/run`, { method: 'POST' })).status).toBe(401);
    const conflict = [service.run({ code: '1', idempotencyKey: 'a' }), service.run({ code: '2', idempotencyKey: 'a' })];
    expect((await Promise.allSettled(conflict)).map(({ status }) => status).toSorted()).toEqual([
      'fulfilled',
      'rejected',
    ]);
    await expect(service.run({ code: '1', idempotencyKey: 'a'.repeat(256) })).rejects.toThrow('`Idempotency-Key`');
    const metrics = await (await fetch(`${toy.url}/metrics`, { headers: { 'x-api-key': toy.key } })).text();
    const lines = metrics.split('\n');
    expect(lines).toContain('rootcellar_runs_total{endpoint="v1",language="python3",status="error",start="cold"} 1');
    expect(lines).toContain('rootcellar_runs_total{endpoint="v1",language="python3",status="ok",start="cold"} 2');
    expect(metrics).toMatch(/^rootcellar_denied_calls_total\{syscall="(?:clone|fork|clone3)"\} [1-9]/m);
    expect(lines).toContain('rootcellar_requests_rejected_total{reason="unauthorized"} 1');
    expect(lines).toContain('rootcellar_requests_rejected_total{reason="idempotency_conflict"} 1');
    expect(lines).toContain('rootcellar_requests_rejected_total{reason="invalid"} 1');
    expect(lines).toContain('rootcellar_run_queue_seconds_count{endpoint="v1"} 3');
    expect(lines).toContain('rootcellar_run_duration_seconds_count{language="python3",start="cold"} 3');
    expect(lines).toContain('rootcellar_runs_in_flight 0');
    expect(lines).toContain('rootcellar_ready 1');
  });

  it.each(['/', '/metrics', '/v1/status'])('shows %s to nobody without a key', async (path) => {
    await using toy = await watchedToy(cellar);
    const refused = await fetch(`${toy.url}${path}`);
    expect(refused.status).toBe(401);
    expect(refused.headers.get('www-authenticate')).toMatch(/^Basic realm=/);
    expect(await refused.text()).not.toMatch(/python|toy/);
    const basic = `Basic ${Buffer.from(`me:${toy.key}`).toString('base64')}`;
    expect((await fetch(`${toy.url}${path}`, { headers: { authorization: basic } })).status).toBe(200);
  });

  it('shows a run in a browser that gave the key as its password', async () => {
    await using toy = await watchedToy(cellar);
    const browser = await launchBrowser();
    try {
      const context = await browser.newContext({ httpCredentials: { username: 'me', password: toy.key } });
      const page = await context.newPage();
      await page.goto(toy.url);
      await page.getByText('No run yet. Send the first one:').waitFor();
      const hint = await page.locator('pre').innerText();
      expect(hint).toContain(`curl ${toy.url}/v1/run `);
      const { isolation } = await connect({ url: toy.url, key: toy.key }).run({
        code: 'while True: pass',
        limits: { wall: '100ms' },
      });
      await page.getByRole('row', { name: /timeout.*Cold.*Python/ }).waitFor();
      expect(await page.locator('#isolation').innerText()).toContain(`Tier ${isolation.tier}`);
      expect(await page.locator('#images').innerText()).toContain('toy');
    } finally {
      await browser.close();
    }
  });
});

describe.skipIf(CANNOT_SANDBOX)('what is watched', () => {
  it('has nothing that a client or a program wrote', async () => {
    await using toy = await watchedToy(cellar, { mostBodyBytes: 100_000 });
    const secrets = new Set<string>();
    /** A word that nothing else has. */
    const secret = (place: string): string => {
      const word = `secret${secrets.size}${place}`;
      secrets.add(word);
      return word;
    };
    const send = async (path: string, body: string, headers: Record<string, string> = {}): Promise<number> => {
      const own = { 'x-api-key': toy.key, 'content-type': 'application/json', ...headers };
      const response = await fetch(`${toy.url}${path}`, { method: 'POST', headers: own, body });
      await response.text();
      return response.status;
    };
    const program = [
      'import os, sys, ctypes',
      `print("${secret('stdout')}", os.environ)`,
      `print("${secret('stderr')}", file=sys.stderr)`,
      `open("${secret('output')}.txt", "w").write("${secret('written')}")`,
      'ctypes.CDLL(None).syscall(41, 1, 1, 0)',
    ].join('\n');
    const run = {
      code: `# ${secret('code')}\n${program}`,
      stdin: secret('stdin'),
      args: [secret('argument')],
      env: { [secret('VARIABLE')]: secret('value') },
      files: { [`${secret('file')}.txt`]: secret('content'), [`${secret('bytes')}.bin`]: { base64: 'AAEC' } },
      outputs: [`${secret('wanted')}.txt`],
    };
    const headers = {
      authorization: `Bearer ${secret('bearer')}`,
      cookie: `session=${secret('cookie')}`,
      'user-agent': secret('agent'),
      'x-own': secret('header'),
      'idempotency-key': secret('idempotency'),
      traceparent: secret('traceparent'),
      tracestate: `a=${secret('tracestate')}`,
      referer: `http://127.0.0.1/${secret('referer')}`,
    };
    expect(await send(`/v1/run?key=${secret('query')}`, JSON.stringify(run), headers)).toBe(200);
    expect(await send('/v1/run', JSON.stringify({ ...run, stream: true }))).toBe(200);
    const dify = { language: 'python3', code: run.code, preload: `# ${secret('preload')}`, enable_network: true };
    expect(await send('/v1/sandbox/run', JSON.stringify(dify))).toBe(200);
    const wrong = { code: 'x', [secret('key')]: 1, language: secret('language'), limits: { wall: secret('limit') } };
    expect(await send('/v1/run', JSON.stringify(wrong))).toBe(400);
    expect(await send('/v1/run', JSON.stringify({ code: '1', env: { LD_PRELOAD: secret('preloaded') } }))).toBe(400);
    expect(await send('/v1/run', JSON.stringify({ code: '1', image: secret('image') }))).toBe(404);
    expect(await send('/v1/run', `{"code": ${secret('json')}`)).toBe(400);
    expect(await send('/v1/run', `"${secret('large')}${'x'.repeat(200_000)}"`)).toBe(413);
    expect(await send('/v1/run', JSON.stringify(run), { 'x-api-key': secret('apikey') })).toBe(401);
    expect(await send(`/${secret('path')}`, '{}')).toBe(404);
    expect(await send('/v1/sandbox/run', JSON.stringify({ ...dify, language: secret('difylanguage') }))).toBe(400);
    expect(await send('/v1/run', JSON.stringify({ code: `raise Exception("${secret('raised')}")` }))).toBe(200);

    const keyed = { 'x-api-key': toy.key };
    const seen = await Promise.all(
      ['/metrics', '/v1/status', '/'].map(async (path) =>
        (await fetch(`${toy.url}${path}`, { headers: keyed })).text(),
      ),
    );
    const told = [toy.log(), ...seen].join('\n');
    expect(told).toContain('"status":"ok"');
    expect(told).toContain('"event":"rejected"');
    expect([...secrets, toy.key].filter((word) => told.includes(word))).toEqual([]);
  });
});
