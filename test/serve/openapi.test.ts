import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CANNOT_SANDBOX } from '../native/toy-cell.ts';
import { toyCellar, toyService, type ToyCellar, type ToyService } from '../support/toy-service.ts';
import { watchedToy, type WatchedToy } from '../support/watched-toy.ts';

let cellar: ToyCellar;
let toy: ToyService;
/** As `rootcellar serve` has it. */
let watched: WatchedToy;
let document: Readonly<Record<string, unknown>>;

beforeAll(async () => {
  cellar = await toyCellar();
  toy = await toyService(cellar, { workers: 2, requests: 2 });
  watched = await watchedToy(cellar);
  document = Object(await (await toy.send('/openapi.json')).json());
}, 120_000);

afterAll(async () => {
  await watched[Symbol.asyncDispose]();
  await toy[Symbol.asyncDispose]();
  await cellar[Symbol.asyncDispose]();
});

/** Checks against the schema that the document has for `pointer`. */
function checker(pointer: string): ValidateFunction {
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  ajv.addSchema(document, 'document');
  return ajv.compile({ $ref: `document#${pointer}` });
}

function runSchema(status: number, type: string): ValidateFunction {
  const escaped = type.replaceAll('/', '~1');
  return checker(`/paths/~1v1~1run/post/responses/${status}/content/${escaped}/schema`);
}

async function expectDocumented(response: Response): Promise<void> {
  const type = response.headers.get('content-type')?.split(';')[0] ?? '';
  const check = runSchema(response.status, type);
  const body: unknown = await response.json();
  expect(check(body), JSON.stringify([body, check.errors])).toBe(true);
}

function ask(path: string, init: Readonly<RequestInit> = {}): Promise<Response> {
  return fetch(`${watched.url}${path}`, { ...init, headers: { 'x-api-key': watched.key } });
}

describe('the OpenAPI document', () => {
  it('needs a key, and names every route that it may be asked for', async () => {
    expect((await fetch(`${toy.url}/openapi.json`)).status).toBe(401);
    const paths = Object.entries(Object(document['paths'])).flatMap(([path, methods]) =>
      Object.keys(Object(methods)).map((method) => [path, method.toUpperCase()] as const),
    );
    expect(paths).toHaveLength(6);
    for (const [path, method] of paths) expect((await ask(path, { method })).status).not.toBe(404);
  });

  it('describes requests as they are checked', async () => {
    const check = checker('/components/schemas/RunBody');
    const good = {
      code: '1',
      files: { a: 'text', b: { base64: 'AA==', executable: true } },
      limits: { wall: '2s', processes: 3 },
      network: { proxy: { allow: ['example.com'] } },
      stdin: { base64: '' },
    };
    expect(check(good), JSON.stringify(check.errors)).toBe(true);
    for (const bad of [
      { code: 1 },
      { code: '1', lol: 1 },
      { code: '1', limits: { wall: 3 } },
      { code: '1', args: 'a' },
    ]) {
      expect(check(bad), JSON.stringify(bad)).toBe(false);
      expect((await toy.run(bad)).status).toBe(400);
    }
  });

  it
    .skipIf(CANNOT_SANDBOX)
    .each([
      { code: 'print(1)' },
      { code: 'import os; os.fork()' },
      { code: 'while True: print("x" * 1000)' },
      { code: 'import sys; sys.stdout.buffer.write(bytes([255]))' },
      { code: 'open("a", "w").write("a")', outputs: ['a', 'missing'] },
      { code: 'import os, signal; os.kill(os.getpid(), signal.SIGKILL)' },
    ])('describes what is answered to %j', async (body) => {
    const response = await toy.run(body);
    expect(response.status).toBe(200);
    await expectDocumented(response);
  });

  it.skipIf(CANNOT_SANDBOX)('describes what whoever watches sees', async () => {
    await ask('/v1/run', { method: 'POST', body: JSON.stringify({ code: 'import os; os.fork()' }) });
    const check = checker('/paths/~1v1~1status/get/responses/200/content/application~1json/schema');
    const status: unknown = await (await ask('/v1/status')).json();
    expect(check(status), JSON.stringify([status, check.errors])).toBe(true);
    expect(status).toMatchObject({ runs: [{ denied: [{}] }], latency: [{}], isolation: {} });
    expect(check({ ...Object(status), load: {} })).toBe(false);
    expect((await ask('/metrics')).headers.get('content-type')).toMatch(/^text\/plain;/);
  });

  it.skipIf(CANNOT_SANDBOX)('describes what is answered to bad requests, and too many', async () => {
    await expectDocumented(await toy.run({}));
    await expectDocumented(await toy.run({ code: '1', image: 'other' }));
    await expectDocumented(await toy.run({ code: '1' }, { headers: { 'x-api-key': 'no' } }));
    const many = await Promise.all([1, 2, 3].map(() => toy.run({ code: 'import time; time.sleep(0.2)' })));
    expect(many.map((one) => one.status).toSorted((a, b) => a - b)).toEqual([200, 200, 429]);
    for (const one of many) await expectDocumented(one);
  });
});
