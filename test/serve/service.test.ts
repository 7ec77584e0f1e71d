import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RootcellarError } from '../../src/base/rootcellar-error.ts';
import { startProgram } from '../../src/run-program.ts';
import type { StartProgram } from '../../src/serve/run-desk.ts';
import { CANNOT_SANDBOX } from '../native/toy-cell.ts';
import { KEY, toyCellar, toyService, type ToyCellar } from '../support/toy-service.ts';

let cellar: ToyCellar;

beforeAll(async () => {
  cellar = await toyCellar();
}, 120_000);

afterAll(() => cellar[Symbol.asyncDispose]());

function notYet(): void {}

/** Lets programs start when the test says so. */
function gate(): { readonly start: StartProgram; readonly open: () => void; readonly entered: () => number } {
  let open = notYet;
  let entered = 0;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  const start: StartProgram = async (request) => {
    entered += 1;
    await opened;
    return startProgram(request, cellar.context());
  };
  return { start, open, entered: () => entered };
}

async function bodyOf(
  response: Response,
): Promise<{ readonly status: number; readonly code: unknown; readonly retry: string | null }> {
  const { code } = JSON.parse(await response.text());
  return { status: response.status, code, retry: response.headers.get('retry-after') };
}

const PROGRAM = { code: 'print(1)' };
const DIFY_PROGRAM = { language: 'python3', code: 'print(1)' };

describe.skipIf(CANNOT_SANDBOX)('a service with much to do', () => {
  it('lets so many wait, and refuses more at once, in the words of each API', async () => {
    const { start, open } = gate();
    await using toy = await toyService(cellar, { start, workers: 1, requests: 3 });
    const accepted = [toy.run(PROGRAM), toy.run(PROGRAM), toy.difyRun(DIFY_PROGRAM)];
    await expect
      .poll(() => toy.service.state())
      .toMatchObject({ running: 1, queueLength: 2, capacity: 1, queueCapacity: 2 });
    const refused = await toy.difyRun(DIFY_PROGRAM);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    expect([refused.status, await refused.text()]).toEqual([
      503,
      '{"code":-503,"message":"Too many requests","data":null}',
    ]);
    const { status, code, retry } = await bodyOf(await toy.run(PROGRAM));
    expect([status, code, Number(retry) >= 1]).toEqual([429, 'E_BUSY', true]);
    expect(toy.told.rejected).toEqual(['queue_full', 'queue_full']);
    open();
    expect((await Promise.all(accepted)).map((one) => one.status)).toEqual([200, 200, 200]);
    expect(toy.told.ended.map(({ queueMs }) => queueMs > 0)).toEqual([false, true, true]);
  });

  it('takes requests by turns of their keys', async () => {
    const { start, open } = gate();
    const keys = [
      { name: 'greedy', key: KEY },
      { name: 'modest', key: 'k' },
    ];
    await using toy = await toyService(cellar, { start, workers: 1, keys });
    const greedy: Promise<Response>[] = [];
    for (let count = 1; count <= 4; count += 1) {
      greedy.push(toy.run(PROGRAM));
      await expect.poll(() => toy.service.state().queueLength).toBe(count - 1);
    }
    const modest = toy.run(PROGRAM, { headers: { 'x-api-key': 'k' } });
    await expect.poll(() => toy.service.state().queueLength).toBe(4);
    open();
    await Promise.all([...greedy, modest]);
    expect(toy.told.ended.map(({ keyName }) => keyName)).toEqual(['greedy', 'greedy', 'modest', 'greedy', 'greedy']);
  });

  it('forgets requests whose clients go while they wait', async () => {
    const { start, open, entered } = gate();
    await using toy = await toyService(cellar, { start, workers: 1 });
    const first = toy.run(PROGRAM);
    await expect.poll(() => toy.service.state().running).toBe(1);
    const leave = new AbortController();
    const second = toy.run(PROGRAM, { signal: leave.signal });
    await expect.poll(() => toy.service.state().queueLength).toBe(1);
    leave.abort();
    await expect(second).rejects.toThrow('aborted');
    await expect.poll(() => toy.service.state().queueLength).toBe(0);
    open();
    expect((await first).status).toBe(200);
    expect([entered(), toy.told.rejected]).toEqual([1, ['client_gone']]);
  });

  it('ends runs whose clients go', async () => {
    await using toy = await toyService(cellar, { workers: 1 });
    const leave = new AbortController();
    const run = toy.difyRun({ language: 'python3', code: 'import time; time.sleep(5)' });
    await expect.poll(() => toy.service.state().running).toBe(1);
    const other = toy.run({ code: 'import time; time.sleep(5)' }, { signal: leave.signal });
    await expect.poll(() => toy.service.state().queueLength).toBe(1);
    leave.abort();
    await expect(other).rejects.toThrow('aborted');
    toy.service.stop();
    expect(JSON.parse(await (await run).text()).code).toBe(-500);
    expect(toy.told.ended.map(({ status }) => status)).toEqual(['cancelled']);
  });
});

describe.skipIf(CANNOT_SANDBOX)('a service that is stopped', () => {
  it('takes nothing new, says so, and lets what runs end', async () => {
    const { start, open } = gate();
    await using toy = await toyService(cellar, { start });
    const running = toy.run(PROGRAM);
    await expect.poll(() => toy.service.state().running).toBe(1);
    const closed = toy.service.close();
    const ready = await fetch(`${toy.url}/ready`);
    expect([ready.status, await ready.json()]).toEqual([503, { status: 'draining' }]);
    expect((await fetch(`${toy.url}/health`)).status).toBe(200);
    expect(await bodyOf(await toy.run(PROGRAM))).toMatchObject({ status: 503, code: 'E_DRAINING' });
    expect(await bodyOf(await toy.difyRun(DIFY_PROGRAM))).toMatchObject({ status: 503, code: -503 });
    open();
    expect(JSON.parse(await (await running).text()).report.stdout).toBe('1\n');
    await closed;
    await expect(fetch(`${toy.url}/health`)).rejects.toThrow('fetch failed');
  });

  it('ends what takes too long', async () => {
    await using toy = await toyService(cellar, { drainMs: 50 });
    const running = toy.run({ code: 'import time; time.sleep(9)' });
    await expect.poll(() => toy.service.state().running).toBe(1);
    await toy.service.close();
    expect(JSON.parse(await (await running).text()).report.status).toBe('cancelled');
  });
});

describe('a service that is stopped', () => {
  it('does not wait for clients who neither send nor read', async () => {
    const patience = { headers: 60_000, request: 60_000, answer: 100, look: 1000, sign: 1000 };
    await using toy = await toyService(cellar, { patience });
    const head = `POST /v1/run HTTP/1.1\r\nHost: x\r\nX-Api-Key: ${KEY}\r\nContent-Length: 100\r\n`;
    const socket = await talk(toy.url, `${head}Expect: 100-continue\r\n\r\n`);
    await expect.poll(() => socket.heard()).toMatch(/^HTTP\/1\.1 100/);
    await toy.service.close();
    await expect.poll(() => socket.isClosed()).toBe(true);
  });
});

describe.skipIf(CANNOT_SANDBOX)('images of a service', () => {
  it('may come later: until then it is not ready', async () => {
    await using toy = await toyService(cellar, { isEmpty: true, build: () => Promise.resolve(cellar.image) });
    const ready = await fetch(`${toy.url}/ready`);
    expect([ready.status, await ready.json()]).toEqual([503, { status: 'preparing' }]);
    expect(await bodyOf(await toy.run(PROGRAM))).toMatchObject({ status: 503, code: 'E_NOT_READY' });
    expect(await bodyOf(await toy.difyRun(DIFY_PROGRAM))).toMatchObject({ status: 503, code: -503 });
    await toy.images.refresh('none');
    expect((await fetch(`${toy.url}/ready`)).status).toBe(200);
    expect((await toy.run(PROGRAM)).status).toBe(200);
  });

  it('are switched when another generation is current, and no run notices', async () => {
    const { start, open } = gate();
    await using toy = await toyService(cellar, { start });
    const before = toy.service.state().images[0];
    const old = toy.run(PROGRAM);
    await expect.poll(() => toy.service.state().running).toBe(1);
    const next = await cellar.rebuild('4.0');
    await expect.poll(() => toy.service.state().images[0]?.digest).toBe(next.diffId);
    open();
    const digests = [await old, await toy.run(PROGRAM)].map(
      async (one) => JSON.parse(await one.text()).report.image.digest,
    );
    expect(await Promise.all(digests)).toEqual([before?.digest, next.diffId]);
    expect(next.diffId).not.toBe(before?.digest);
  });
});

function failing(error: Error): StartProgram {
  return async () => {
    throw error;
  };
}

describe('a service whose cells cannot be made', () => {
  it('says why', async () => {
    const error = new RootcellarError('E_SANDBOX', 'a cell: cannot be made', { hint: 'rootcellar doctor' });
    await using toy = await toyService(cellar, { start: failing(error) });
    expect(await (await toy.difyRun(DIFY_PROGRAM)).json()).toEqual({
      code: -500,
      message: 'a cell: cannot be made',
      data: null,
    });
    const answer = await (await toy.run(PROGRAM)).json();
    expect(answer).toMatchObject({
      status: 500,
      code: 'E_SANDBOX',
      detail: 'a cell: cannot be made',
      hint: 'rootcellar doctor',
    });
    expect([toy.told.rejected, toy.service.state().running]).toEqual([['sandbox', 'sandbox'], 0]);
  });

  it('goes on after a bug, and repeats nothing that may be a secret', async () => {
    await using toy = await toyService(cellar, { start: failing(new Error('with a secret')) });
    const texts = [await (await toy.run(PROGRAM)).text(), await (await toy.difyRun(DIFY_PROGRAM)).text()];
    expect(texts.join('')).not.toContain('secret');
    expect(JSON.parse(texts[0] ?? '')).toMatchObject({ status: 500, code: 'E_INTERNAL' });
    expect(toy.told.notices.filter((notice) => notice.includes('bug'))).toHaveLength(2);
    expect(toy.told.notices.join('')).not.toContain('secret');
  });
});

describe('whom a service listens to', () => {
  it('without keys, to programs of this machine and not to web pages', async () => {
    await using toy = await toyService(cellar, { keys: [] });
    const status = async (headers: Record<string, string>): Promise<number> =>
      (await fetch(`${toy.url}/v1/run`, { method: 'POST', headers, body: '{}' })).status;
    expect(await status({})).toBe(400);
    expect(await status({ 'x-api-key': 'any' })).toBe(401);
    expect(await status({ origin: 'https://example.com' })).toBe(401);
    const socket = await talk(toy.url, 'POST /v1/run HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 2\r\n\r\n{}');
    await expect.poll(() => socket.heard()).toMatch(/^HTTP\/1\.1 401/);
    socket.end();
  });

  it.each([
    ['headers', 'POST /v1/run HTTP/1.1\r\nHost: x\r\nX-Slow: '],
    ['body', `POST /v1/run HTTP/1.1\r\nHost: x\r\nX-Api-Key: ${KEY}\r\nContent-Length: 100\r\n\r\n{`],
  ])('not for long to clients who never send the whole %s', async (_, text) => {
    const patience = { headers: 100, request: 200, answer: 1000, look: 20, sign: 1000 };
    await using toy = await toyService(cellar, { patience });
    const socket = await talk(toy.url, text);
    await expect.poll(() => socket.isClosed()).toBe(true);
    expect(socket.heard()).toMatch(/^HTTP\/1\.1 408/);
  });

  it('not to headers without end', async () => {
    await using toy = await toyService(cellar);
    const socket = await talk(toy.url, `GET /health HTTP/1.1\r\nHost: x\r\nX-Long: ${'x'.repeat(20_000)}\r\n\r\n`);
    await expect.poll(() => socket.isClosed()).toBe(true);
    expect(socket.heard()).toMatch(/^HTTP\/1\.1 431/);
  });
});

interface Talk {
  readonly heard: () => string;
  readonly isClosed: () => boolean;
  readonly end: () => Socket;
}

/** Says something over a connection of its own. */
async function talk(url: string, text: string): Promise<Talk> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  const chunks: Buffer[] = [];
  let isClosed = false;
  socket.on('data', (chunk) => chunks.push(chunk));
  socket.on('close', () => {
    isClosed = true;
  });
  socket.on('error', () => undefined);
  socket.write(text);
  return { heard: () => Buffer.concat(chunks).toString(), isClosed: () => isClosed, end: () => socket.destroy() };
}
