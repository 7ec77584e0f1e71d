import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunAnswer, StreamedOutput } from '../../src/serve/run-body.ts';
import { CANNOT_SANDBOX } from '../native/toy-cell.ts';
import { KEY, NODE, toyCellar, toyService, type ToyCellar, type ToyService } from '../support/toy-service.ts';
import { skipWithout } from '../support/skip-without.ts';

let cellar: ToyCellar;
let toy: ToyService;

beforeAll(async () => {
  cellar = await toyCellar({ sandbox: '{ limits: { wall: 10s, cpu: 10s, output: 1MiB } }' });
  toy = await toyService(cellar, { mostLimits: { wallMs: 20_000 } });
}, 120_000);

afterAll(async () => {
  await toy[Symbol.asyncDispose]();
  await cellar[Symbol.asyncDispose]();
});

async function answer(body: unknown): Promise<RunAnswer> {
  const response = await toy.run(body);
  const text = await response.text();
  expect(response.status, text).toBe(200);
  return JSON.parse(text);
}

async function problem(response: Promise<Response>): Promise<readonly [number, string, string]> {
  const one = await response;
  expect(one.headers.get('content-type')).toBe('application/problem+json; charset=utf-8');
  const body = JSON.parse(await one.text());
  expect(body.status).toBe(one.status);
  return [one.status, body.code, body.detail];
}

function basic(password: string): string {
  return `Basic ${Buffer.from(`user:${password}`).toString('base64')}`;
}

function offer(url: string, headers: Readonly<Partial<Record<string, string>>>): Promise<Response> {
  const given = Object.entries(headers).flatMap(([name, value]): [string, string][] =>
    value === undefined ? [] : [[name, value]],
  );
  return fetch(`${url}/v1/run`, { method: 'POST', headers: given, body: '{}' });
}

function base64Of(text: string): string {
  return Buffer.from(text).toString('base64');
}

function withKey(key: string, accept = '*/*'): RequestInit {
  return { headers: { 'idempotency-key': key, accept } };
}

async function textOf(response: Promise<Response>): Promise<string> {
  return (await response).text();
}

interface ReadEvent {
  readonly event: string;
  readonly data: unknown;
}

/** As the standard says that streams are read. */
function eventsOf(text: string): readonly ReadEvent[] {
  return text
    .split('\n\n')
    .filter((block) => block.includes('data: '))
    .map((block) => {
      const fields = new Map(
        block
          .split('\n')
          .map((line): [string, string] => [line.split(': ')[0] ?? '', line.slice(line.indexOf(': ') + 2)]),
      );
      return { event: fields.get('event') ?? '', data: JSON.parse(fields.get('data') ?? 'null') };
    });
}

function bytesOf(events: readonly ReadEvent[], stream: string): Buffer {
  const outputs = events
    .filter(({ event }) => event === stream)
    .map(({ data }): StreamedOutput => JSON.parse(JSON.stringify(data)));
  return Buffer.concat(
    outputs.map((one) => ('text' in one ? Buffer.from(one.text) : Buffer.from(one.base64, 'base64'))),
  );
}

describe.skipIf(CANNOT_SANDBOX)('POST /v1/run', () => {
  it('answers with the whole report and how long it has waited', async () => {
    const response = await toy.run({ code: 'print(6 * 7)' });
    expect(response.headers.get('server-timing')).toMatch(/^queue;dur=\d+\.\d, run;dur=\d+\.\d$/);
    const body: RunAnswer = JSON.parse(await response.text());
    expect(body.report).toMatchObject({ status: 'ok', exit_code: 0, stdout: '42\n', stderr: '', encoding: 'utf-8' });
    expect(body.report.image).toEqual({ name: 'toy', digest: toy.service.state().images[0]?.digest });
    expect(body.queue_ms).toBeGreaterThanOrEqual(0);
    expect(body).not.toHaveProperty('files');
  });

  it('gives arguments, input and variables to the program', async () => {
    const code = 'import os, sys; print(sys.argv[1:], sys.stdin.read(), os.environ["MODE"])';
    const { report } = await answer({ code, args: ['a b', ''], stdin: 'in', env: { MODE: 'test' } });
    expect(report.stdout).toBe("['a b', ''] in test\n");
    const bytes = await answer({ code: 'import sys; print(sys.stdin.buffer.read())', stdin: { base64: '/wA=' } });
    expect(bytes.report.stdout).toBe("b'\\xff\\x00'\n");
  });

  it('places files, and returns those that were asked for', async () => {
    const body = {
      code: 'import os; t = open("in/a.txt").read(); b = open("b", "rb").read(); os.mkdir("out"); open("out/x", "wb").write(b); open("y", "w").write(t); print(oct(os.stat("c").st_mode & 0o777))',
      files: { 'in/a.txt': 'text', b: { base64: '/wD+' }, c: { text: '', executable: true } },
      outputs: ['out', 'y', 'nothing'],
    };
    const { report, files } = await answer(body);
    expect(files).toEqual([
      { path: 'out/x', base64: '/wD+' },
      { path: 'y', base64: Buffer.from('text').toString('base64') },
    ]);
    expect(report.stdout).toBe('0o755\n');
    expect(report.files?.find(({ path }) => path === 'nothing')?.error).toBe('missing');
  });

  it('runs a file with what lies beside it', async () => {
    const files = {
      'app/main.py': 'import helper, sys; print(__name__, helper.x, sys.argv[1:])',
      'app/helper.py': 'x = 1',
    };
    expect((await answer({ main: 'app/main.py', files, args: ['a'] })).report.stdout).toBe("__main__ 1 ['a']\n");
  });

  it.skipIf(skipWithout('Node.js of the system', NODE !== undefined))(
    'runs JavaScript of both kinds, by its ending',
    async () => {
      const modules = {
        'main.mjs': 'import { x } from "./x.mjs"; console.log(await x)',
        'x.mjs': 'export const x = Promise.resolve(3)',
      };
      expect((await answer({ main: 'main.mjs', files: modules })).report.stdout).toBe('3\n');
      const common = { 'a/main.js': 'console.log(require("./y").y, process.argv.slice(2))', 'a/y.js': 'exports.y = 4' };
      expect((await answer({ main: 'a/main.js', files: common, args: ['b'] })).report.stdout).toBe("4 [ 'b' ]\n");
      const { report } = await answer({ language: 'nodejs', code: 'console.log(5)' });
      // The image's own profile is Python's, by which Node.js is denied some of what it tries.
      expect([report.stdout, report.denied]).toEqual(['5\n', []]);
    },
  );

  it('takes limits up to what the service allows', async () => {
    const { report } = await answer({ code: 'print(1)', limits: { memory: '64MiB', wall: '15s' } });
    expect(report.limits).toMatchObject({ memoryBytes: 64 * 1024 ** 2, wallMs: 15_000, cpuMs: 10_000 });
    expect((await answer({ code: 'while True: pass', limits: { wall: '200ms' } })).report.status).toBe('timeout');
  });

  it('gives a run the network that it asks for, within that of the service', async () => {
    await using open = await toyService(cellar, {
      network: { mode: 'host', proxies: { http: 'http://proxy.example:1' } },
    });
    const code = 'import os; print(os.environ.get("http_proxy"))';
    const proxyOf = async (network: unknown): Promise<string> => {
      const body: RunAnswer = JSON.parse(await textOf(open.run({ code, network })));
      return body.report.stdout ?? '';
    };
    expect(await proxyOf('none')).toBe('None\n');
    expect(await proxyOf('host')).toBe('http://proxy.example:1\n');
    expect(await proxyOf(undefined)).toBe('http://proxy.example:1\n');
    expect(await proxyOf({ proxy: { allow: ['example.com'] } })).toBe('http://127.0.0.1:3128\n');
  });

  it.each([
    [
      'an answer of ours',
      '{"report":{"status":"ok"},"queue_ms":0,"__proto__":{"status":"ok"},"status":"ok","status":"ok"}',
    ],
    ['what Dify looks for', '<<RESULT>>{"a":1e999,"b":NaN}<<RESULT>>'],
    ['JSON of great depth', '['.repeat(10_000)],
    ['an end of this one', '"}}\r\n\r\nHTTP/1.1 200 OK\r\n\r\ndata: {}\n\nevent: report\n'],
    ['controls', '\u0000\u001B]0;x\u0007\u2028\uFEFF'],
  ])('Z12 has %s that is printed in `stdout` and nowhere else', async (_, text) => {
    const code = `import base64, sys; sys.stdout.buffer.write(base64.b64decode("${base64Of(text)}")); sys.exit(3)`;
    const response = await toy.run({ code });
    const body: RunAnswer = JSON.parse(await response.text());
    expect(Object.keys(body).toSorted()).toEqual(['queue_ms', 'report']);
    expect(body.report).toMatchObject({ status: 'error', exit_code: 3, stdout: text, stderr: '', encoding: 'utf-8' });
    const events = eventsOf(await textOf(toy.run({ code, stream: true })));
    expect(bytesOf(events, 'stdout').toString()).toBe(text);
    expect(events.filter(({ event }) => event !== 'stdout')).toMatchObject([
      { event: 'report', data: { report: { status: 'error', exit_code: 3 } } },
    ]);
  });

  it('says what a program was not allowed to do', async () => {
    const { report } = await answer({ code: 'import os; os.fork()' });
    expect(report.denied.length).toBeGreaterThan(0);
    expect(report.status).toBe('error');
  });
});

describe('POST /v1/run refuses', () => {
  it.each([
    ['what is no JSON', '{', /no JSON/],
    ['nothing to run', {}, /no program/],
    ['code and main', { code: '1', main: 'a', files: { a: '1' } }, /only one/],
    ['a main that is not there', { main: 'a', files: {} }, /none of `files`/],
    ['an unknown member', { code: '1', lol: 1 }, /lol/],
    ['a limit without a unit', { code: '1', limits: { wall: '3' } }, /`limits\.wall`: must be a duration/],
    ['a limit beyond the most', { code: '1', limits: { wall: '21s' } }, /20000ms/],
    ['a limit beyond the image’s', { code: '1', limits: { cpu: '11s' } }, /`limits\.cpu`.*10000ms/],
    ['a network', { code: '1', network: 'host' }, /`network`.*none/],
    ['a language', { code: '1', language: 'ruby' }, /language/],
    ['base64 that is none', { code: '1', stdin: { base64: '*' } }, /stdin/],
    ['a path that leads out', { code: '1', files: { '../a': '' } }, /leads up/],
    ['a path that leads out of what is returned', { code: '1', outputs: ['/etc/passwd'] }, /not below \/tmp/],
    ['a variable that the loader obeys', { code: '1', env: { LD_PRELOAD: 'x' } }, /LD_PRELOAD/],
  ])('%s', async (_, body, message) => {
    const before = toy.told.rejected.length;
    const sent = typeof body === 'string' ? toy.send('/v1/run', { method: 'POST', body }) : toy.run(body);
    const [status, , detail] = await problem(sent);
    expect([status, toy.told.rejected.slice(before)]).toEqual([400, ['invalid']]);
    expect(detail).toMatch(message);
  });

  it('another image than it serves', async () => {
    expect(await problem(toy.run({ code: '1', image: 'other' }))).toEqual([
      404,
      'E_IMAGE_NOT_FOUND',
      'image `other`: is not served here',
    ]);
  });

  it('a request without a key, or with a wrong one', async () => {
    for (const headers of [{}, { 'x-api-key': 'x' }, { authorization: 'Bearer x' }, { authorization: basic('x') }]) {
      const response = offer(toy.url, headers);
      expect((await problem(response)).slice(0, 2)).toEqual([401, 'E_UNAUTHORIZED']);
      expect((await response).headers.get('www-authenticate')).toMatch(/^Basic realm=/);
    }
    const keys = [
      { name: 'a', key: KEY },
      { name: 'b', key: 'k' },
    ];
    await using other = await toyService(cellar, { keys });
    for (const headers of [{ 'x-api-key': KEY }, { authorization: 'Bearer k' }, { authorization: basic(KEY) }]) {
      expect((await offer(other.url, headers)).status).toBe(400);
    }
  });

  it('more than it takes', async () => {
    await using small = await toyService(cellar, { mostBodyBytes: 2000 });
    const [status, code] = await problem(small.run({ code: '#'.repeat(3000) }));
    expect([status, code, small.told.rejected]).toEqual([413, 'E_TOO_LARGE', ['too_large']]);
    const dify = await small.difyRun({ language: 'python3', code: '#'.repeat(3000) });
    expect(dify.status).toBe(413);
  });
});

describe.skipIf(CANNOT_SANDBOX)('a stream', () => {
  const events = { headers: { accept: 'text/event-stream' } };

  it('tells output as it comes, and the report in the end', async () => {
    const code = 'import sys; print("a"); sys.stdout.flush(); print("b", file=sys.stderr)';
    for (const response of [await toy.run({ code, stream: true }), await toy.run({ code }, events)]) {
      expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
      const all = eventsOf(await response.text());
      expect(bytesOf(all, 'stdout').toString()).toBe('a\n');
      expect(bytesOf(all, 'stderr').toString()).toBe('b\n');
      expect(all.at(-1)).toMatchObject({ event: 'report', data: { report: { status: 'ok' } } });
    }
  });

  it('comes before the program ends', async () => {
    const code = 'import sys\nprint("ready", flush=True)\nsys.stdin.read()\nimport time; time.sleep(60)';
    const leave = new AbortController();
    const response = await toy.run({ code, stream: true }, { signal: leave.signal });
    const reader = response.body?.getReader();
    expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toContain('ready');
    const before = toy.told.ended.length;
    leave.abort();
    await expect.poll(() => toy.told.ended[before]?.status).toBe('cancelled');
  });

  it('loses nothing of bytes, and splits no character', async () => {
    const code = 'import sys\nfor b in "é€😀".encode(): sys.stdout.buffer.write(bytes([b])); sys.stdout.flush()';
    const all = eventsOf(await (await toy.run({ code, stream: true })).text());
    expect(bytesOf(all, 'stdout')).toEqual(Buffer.from('é€😀'));
    const texts = all.flatMap(({ data }) =>
      typeof data === 'object' && data !== null && 'text' in data ? [data.text] : [],
    );
    expect(texts.join('')).toBe('é€😀');
  });

  it('holds a program back whose client does not read, and memory with it', async () => {
    const much = { outputBytes: 512 * 1024 ** 2, wallMs: 60_000, cpuMs: 60_000 };
    const patience = { headers: 1000, request: 1000, answer: 300, look: 100, sign: 15_000 };
    await using wide = await toyService(cellar, { limits: much, patience });
    const before = process.memoryUsage().rss;
    const leave = new AbortController();
    const code = 'import sys\nwhile True: sys.stdout.write("x" * 10**6)';
    const unread = await wide.run({ code, stream: true }, { signal: leave.signal });
    // Nobody reads: had the program not been held back, it would have come to the end of what it may print.
    await expect.poll(() => wide.told.ended[0]?.status, { timeout: 20_000 }).toBe('cancelled');
    expect(process.memoryUsage().rss - before).toBeLessThan(64 * 1024 ** 2);
    // It is held until here: fetch ends what nobody holds.
    expect(unread.bodyUsed).toBe(false);
    leave.abort();
  });

  it('answers in the usual way what comes before the start', async () => {
    expect((await problem(toy.run({ stream: true }))).slice(0, 2)).toEqual([400, 'E_REQUEST']);
  });
});

describe.skipIf(CANNOT_SANDBOX)('an Idempotency-Key', () => {
  const random = { code: 'import os; print(os.urandom(8).hex())' };

  it('has the same request answered the same, at the same time and later', async () => {
    const before = toy.told.ended.length;
    const answers = await Promise.all([1, 2, 3].map(() => textOf(toy.run(random, withKey('one')))));
    answers.push(await textOf(toy.run(random, withKey('one'))));
    expect(new Set(answers).size).toBe(1);
    expect(toy.told.ended.length - before).toBe(1);
    expect(await textOf(toy.run(random, withKey('two')))).not.toBe(answers[0]);
  });

  it('has streams told again', async () => {
    const first = await textOf(toy.run({ ...random, stream: true }, withKey('stream')));
    expect(eventsOf(first).map(({ event }) => event)).toEqual(['stdout', 'report']);
    expect(await textOf(toy.run({ ...random, stream: true }, withKey('stream')))).toBe(first);
  });

  it('has a stream told to whoever waited for it, too', async () => {
    const patience = { headers: 1000, request: 1000, answer: 5000, look: 100, sign: 20 };
    await using own = await toyService(cellar, { patience });
    const body = { code: 'import time; time.sleep(0.5); print(1)', stream: true };
    const both = await Promise.all([1, 2].map(() => textOf(own.run(body, withKey('both')))));
    const events = both.map((text) => eventsOf(text).map(({ event }) => event));
    expect(events).toEqual([
      ['stdout', 'report'],
      ['stdout', 'report'],
    ]);
    // Signs of life came before: else the second would not have been a stream yet.
    expect(both.map((text) => text.startsWith(':\n\n'))).toEqual([true, true]);
  });

  it('is for one request alone', async () => {
    await textOf(toy.run(random, withKey('mine')));
    expect((await problem(toy.run({ code: '1' }, withKey('mine')))).slice(0, 2)).toEqual([409, 'E_IDEMPOTENCY']);
    expect((await problem(toy.run(random, withKey('mine', 'text/event-stream')))).slice(0, 2)).toEqual([
      409,
      'E_IDEMPOTENCY',
    ]);
    await using other = await toyService(cellar, {
      keys: [
        { name: 'a', key: KEY },
        { name: 'b', key: 'k' },
      ],
    });
    const a = await textOf(other.run(random, withKey('same')));
    const b = await textOf(other.run(random, { headers: { 'idempotency-key': 'same', 'x-api-key': 'k' } }));
    expect(a).not.toBe(b);
  });

  it('lets the run go on when its client goes', async () => {
    const before = toy.told.started.length;
    const leave = new AbortController();
    const body = { code: 'import time; time.sleep(0.3); print("done")' };
    const gone = toy.run(body, { ...withKey('gone'), signal: leave.signal });
    await expect.poll(() => toy.told.started.length).toBe(before + 1);
    leave.abort();
    await expect(gone).rejects.toThrow('aborted');
    expect(JSON.parse(await textOf(toy.run(body, withKey('gone')))).report.stdout).toBe('done\n');
    expect(toy.told.started.length).toBe(before + 1);
  });

  it('may be used again when nothing was run', async () => {
    const [status] = await problem(toy.run({ code: '1', env: { LD_PRELOAD: '' } }, withKey('again')));
    expect([status, (await toy.run(random, withKey('again'))).status]).toEqual([400, 200]);
  });
});
