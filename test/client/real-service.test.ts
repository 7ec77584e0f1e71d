import { setImmediate } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connect, type Cellar } from '../../src/client/connect.ts';
import type { StatusJson } from '../../src/serve/status-json.ts';
import { CANNOT_SANDBOX } from '../native/toy-cell.ts';
import { toyCellar, type ToyCellar } from '../support/toy-service.ts';
import { watchedToy, type WatchedToy } from '../support/watched-toy.ts';

let images: ToyCellar;
let toy: WatchedToy;
let cellar: Cellar;
beforeAll(async () => {
  images = await toyCellar({ sandbox: '{ limits: { wall: 5s, cpu: 5s } }' });
  toy = await watchedToy(images, { workers: 1, requests: 1 });
  cellar = connect({ url: toy.url, key: toy.key, retries: 0 });
}, 120_000);
afterAll(async () => {
  await toy[Symbol.asyncDispose]();
  await images[Symbol.asyncDispose]();
});

async function status(): Promise<StatusJson> {
  const answer = await fetch(`${toy.url}/v1/status`, { headers: { 'x-api-key': toy.key } });
  const now: StatusJson = JSON.parse(await answer.text());
  return now;
}

async function untilRunning(count: number): Promise<void> {
  while ((await status()).load.running !== count) await setImmediate();
}

describe.skipIf(CANNOT_SANDBOX)('connect() and a real service', () => {
  it('runs a program and gives its report', async () => {
    const result = await cellar.run({
      code: 'import sys; print(sys.argv[1:], sys.stdin.read())',
      args: ['a'],
      stdin: 'b',
    });
    expect(result).toMatchObject({ status: 'ok', exit_code: 0, stdout: "['a'] b\n", image: { name: 'toy' } });
    expect(result.queue_ms).toBeGreaterThanOrEqual(0);
  });

  it('takes a failing program for a result', async () => {
    expect(await cellar.run({ code: 'raise SystemExit(3)' })).toMatchObject({ status: 'error', exit_code: 3 });
  });

  it('hands on output while the program runs', async () => {
    const heard: string[] = [];
    const abort = new AbortController();
    const run = cellar.run({
      code: 'import time; print("näh", flush=True); time.sleep(60)',
      signal: abort.signal,
      onOutput: (stream, bytes) => {
        heard.push(`${stream} ${Buffer.from(bytes).toString()}`);
        abort.abort(new Error('heard enough'));
      },
    });
    await expect(run).rejects.toThrow('heard enough');
    expect(heard).toEqual(['stdout näh\n']);
    await untilRunning(0);
    expect((await status()).runs[0]?.status).toBe('cancelled');
  });

  it('sends files and takes files', async () => {
    const { outputs, files } = await cellar.run({
      main: 'main.py',
      files: {
        'main.py': 'import own; open("out.bin", "wb").write(own.twice(open("in.bin", "rb").read()))',
        'own.py': 'def twice(data): return data * 2',
        'in.bin': Uint8Array.of(0, 255),
      },
      outputs: ['out.bin', 'none.txt'],
    });
    expect([...outputs]).toEqual([['out.bin', Uint8Array.of(0, 255, 0, 255)]]);
    expect(files).toMatchObject([
      { path: 'out.bin', bytes: 4 },
      { path: 'none.txt', error: 'missing' },
    ]);
  });

  it('ends the run when it is aborted', async () => {
    const abort = new AbortController();
    const run = cellar.run({ code: 'while True: pass', signal: abort.signal });
    const abortLater = async (): Promise<void> => {
      await untilRunning(1);
      abort.abort(new Error('no more'));
    };
    await Promise.all([expect(run).rejects.toThrow('no more'), abortLater()]);
    await untilRunning(0);
    expect((await status()).runs[0]?.status).toBe('cancelled');
  });

  it('comes back when the service is full', async () => {
    const abort = new AbortController();
    const first = cellar.run({ code: 'while True: pass', signal: abort.signal });
    await untilRunning(1);
    await expect(cellar.run({ code: '1' })).rejects.toMatchObject({ code: 'E_BUSY' });
    const pause = async (): Promise<void> => {
      abort.abort(new Error('away'));
      await untilRunning(0);
    };
    const patient = connect({ url: toy.url, key: toy.key }, { ...OUTSIDE, pause });
    const [second] = await Promise.all([patient.run({ code: 'print(2)' }), expect(first).rejects.toThrow('away')]);
    expect(second.stdout).toBe('2\n');
  });

  it('runs once what has the same idempotency key', async () => {
    const run = { code: 'import random; print(random.random())', idempotencyKey: 'once' };
    const [one, other] = [await cellar.run(run), await cellar.run(run)];
    expect(other.stdout).toBe(one.stdout);
    await expect(cellar.run({ ...run, code: 'print(1)' })).rejects.toMatchObject({ code: 'E_IDEMPOTENCY' });
  });

  it('says what is wrong with a request, and with a key', async () => {
    await expect(cellar.run({ code: '1', limits: { wall: '1 year' } })).rejects.toMatchObject({ code: 'E_REQUEST' });
    const stranger = connect({ url: toy.url, key: 'another' });
    await expect(stranger.run({ code: '1' })).rejects.toMatchObject({ code: 'E_UNAUTHORIZED' });
  });
});

const OUTSIDE = {
  send: (address: URL, request: RequestInit): Promise<Response> => fetch(address, request),
  now: (): number => Date.now(),
};
