import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CANNOT_SANDBOX } from '../native/toy-cell.ts';
import { KEY, NODE, toyCellar, toyService, type ToyCellar, type ToyService } from '../support/toy-service.ts';
import { skipWithout } from '../support/skip-without.ts';

let cellar: ToyCellar;
let toy: ToyService;

beforeAll(async () => {
  cellar = await toyCellar({ sandbox: '{ network: host, limits: { wall: 5s, cpu: 5s, output: 64KiB } }' });
  toy = await toyService(cellar);
}, 120_000);

afterAll(async () => {
  await toy[Symbol.asyncDispose]();
  await cellar[Symbol.asyncDispose]();
});

interface Answer {
  readonly status: number;
  readonly type: string | null;
  readonly text: string;
}

async function answerOf(response: Promise<Response>): Promise<Answer> {
  const { status, headers, ...rest } = await response.then(async (one) => ({
    status: one.status,
    headers: one.headers,
    text: await one.text(),
  }));
  return { status, type: headers.get('content-type'), text: rest.text };
}

const JSON_TYPE = 'application/json; charset=utf-8';

function ok(data: string): Answer {
  return { status: 200, type: JSON_TYPE, text: `{"code":0,"message":"success","data":${data}}` };
}

function python(code: string): Promise<Answer> {
  return answerOf(toy.difyRun({ language: 'python3', code, preload: '', enable_network: false }));
}

function nodejs(code: string): Promise<Answer> {
  return answerOf(toy.difyRun({ language: 'nodejs', code }));
}

function missing(name: string): string {
  return `Key: '${name}' Error:Field validation for '${name}' failed on the 'required' tag`;
}

function refused(message: string): string {
  return JSON.stringify({ code: -400, message, data: null });
}

function listed(version: string): Answer {
  return ok(`{"dependencies":[{"name":"jinja2","version":"${version}"}]}`);
}

/** How httpx writes `json=`: since 0.28 without blanks and in UTF-8, before as Python's `json.dumps` does. */
const WRITINGS: Readonly<Record<string, (value: unknown) => string>> = {
  'httpx 0.28': (value) => JSON.stringify(value),
  'httpx 0.27': dumps,
};

function dumps(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(dumps).join(', ')}]`;
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).map(([key, member]) => `${dumps(key)}: ${dumps(member)}`);
    return `{${members.join(', ')}}`;
  }
  const text = JSON.stringify(value);
  return text.replaceAll(/[\u007f-\uffff]/g, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Sends what Dify's `CodeExecutor` sends, and reads the answer as it does. */
async function asDify(body: Readonly<Record<string, unknown>>, client: string): Promise<string> {
  const response = await fetch(`${toy.url}/v1/sandbox/run`, {
    method: 'POST',
    headers: { 'X-Api-Key': KEY, 'Content-Type': 'application/json', Accept: '*/*', 'User-Agent': 'python-httpx' },
    body: WRITINGS[client]?.(body) ?? '',
  });
  expect(response.status).toBe(200);
  const answer = JSON.parse(await response.text());
  expect([answer.code, answer.message, answer.data.error]).toEqual([0, 'success', '']);
  return /<<RESULT>>([^]*)<<RESULT>>/.exec(answer.data.stdout)?.[1] ?? '';
}

describe('endpoints of dify-sandbox', () => {
  it('/health is open and says ok', async () => {
    expect(await answerOf(fetch(`${toy.url}/health`))).toEqual({ status: 200, type: JSON_TYPE, text: '"ok"' });
  });

  it.each([
    ['no key', {}],
    ['a wrong key', { 'x-api-key': 'wrong' }],
    ['an empty key', { 'x-api-key': '' }],
  ])('%s gets 401 and nothing else', async (_, headers: Record<string, string>) => {
    const response = await fetch(`${toy.url}/v1/sandbox/run`, { method: 'POST', headers, body: '{}' });
    expect([response.status, await response.text(), response.headers.get('content-type')]).toEqual([401, '', null]);
  });

  it.each([
    ['GET', '/nothing'],
    ['GET', '/v1/sandbox/run'],
    ['POST', '/health'],
    ['DELETE', '/v1/sandbox/dependencies'],
    ['POST', '/v1/sandbox/dependencies/refresh'],
  ])('%s %s is not found, with or without a key', async (method, path) => {
    const expected = { status: 404, type: 'text/plain', text: '404 page not found' };
    expect(await answerOf(toy.send(path, { method }))).toEqual(expected);
    expect(await answerOf(fetch(`${toy.url}${path}`, { method }))).toEqual(expected);
  });

  it('leads a path with a slash too many to the right one', async () => {
    const response = await fetch(`${toy.url}/health/`, { redirect: 'manual' });
    expect([response.status, response.headers.get('location')]).toEqual([301, '/health']);
  });
});

describe('requests that cannot be run', () => {
  const json = 'application/json';

  it.each([
    ['{"language":"python3"}', missing('Code')],
    ['{"language":"python3","code":""}', missing('Code')],
    ['{}', `${missing('Language')}\n${missing('Code')}`],
    ['', 'EOF'],
    ['{"language":', 'unexpected EOF'],
    ['{x', "invalid character 'x' looking for beginning of object key string"],
    ['{"code":1,"language":"python3"}', 'json: cannot unmarshal number into Go struct field .code of type string'],
    [
      '{"language":"python3","code":"1","enable_network":"yes"}',
      'json: cannot unmarshal string into Go struct field .enable_network of type bool',
    ],
    [
      '[1]',
      String.raw`json: cannot unmarshal array into Go value of type struct { Language string "json:\"language\" form:\"language\" binding:\"required\""; Code string "json:\"code\" form:\"code\" binding:\"required\""; Preload string "json:\"preload\" form:\"preload\""; EnableNetwork bool "json:\"enable_network\" form:\"enable_network\"" }`,
    ],
  ])('%s', async (body, message) => {
    const send = (type: string): Promise<Answer> =>
      answerOf(toy.send('/v1/sandbox/run', { method: 'POST', headers: { 'content-type': type }, body }));
    expect(await send(json)).toEqual({ status: 400, type: 'text/plain; charset=utf-8', text: refused(message) });
    expect(await send(`${json}; charset=utf-8`)).toEqual({ status: 200, type: JSON_TYPE, text: refused(message) });
  });

  it('a language that is not there', async () => {
    const expected = { status: 400, type: JSON_TYPE, text: refused('unsupported language') };
    expect(await answerOf(toy.difyRun({ language: 'ruby', code: '1' }))).toEqual(expected);
    expect(await answerOf(toy.send('/v1/sandbox/dependencies?language=nodejs'))).toEqual(expected);
  });

  it('a network that the configuration has off', async () => {
    await using gated = await toyService(cellar, { network: 'none' });
    const body = { language: 'python3', code: 'print(1)', enable_network: true };
    const text = refused('network is disabled, please enable it in the configuration');
    expect(await answerOf(gated.difyRun(body))).toEqual({ status: 200, type: JSON_TYPE, text });
    expect(gated.told.rejected).toEqual(['invalid']);
  });
});

const WITHOUT_NODE = skipWithout('Node.js of the system', NODE !== undefined);

describe.skipIf(CANNOT_SANDBOX)('runs', () => {
  it('answer with all members of both generations, escaped as Go does', async () => {
    const code = `import sys; sys.stdout.write('<a & b>\\u2028é\\x7f"\\\\/\\t\\b'); sys.stderr.write('noted')`;
    expect(await python(code)).toEqual(
      ok(
        String.raw`{"stdout":"\u003ca \u0026 b\u003e\u2028é${'\u007f'}\"\\/\t\b","stderr":"noted","error":"","exit_code":0}`,
      ),
    );
  });

  it('have each byte that is not UTF-8 replaced', async () => {
    const code = String.raw`import sys; sys.stdout.buffer.write(b'a\xff\xe2\x82b\xe2\x82\xac')`;
    expect(await python(code)).toEqual(
      ok(String.raw`{"stdout":"a\ufffd\ufffd\ufffdb€","stderr":"","error":"","exit_code":0}`),
    );
  });

  it('that exit with another status tell it, and what they said', async () => {
    const answer = await python('import sys; print("out"); sys.stderr.write("err"); sys.exit(3)');
    expect(answer).toEqual(
      ok(String.raw`{"stdout":"out\n","stderr":"err","error":"process exited with code 3\nerr","exit_code":3}`),
    );
    expect(await python('raise SystemExit(4)')).toEqual(
      ok('{"stdout":"","stderr":"","error":"process exited with code 4","exit_code":4}'),
    );
  });

  it('of Python end with 255 by an exception, told without our own frames', async () => {
    const { data } = JSON.parse((await python('x = 1\nraise ValueError("no")')).text);
    expect(data).toMatchObject({
      exit_code: 255,
      stderr: 'Traceback (most recent call last):\n  File "<fd3>", line 2, in <module>\nValueError: no\n',
    });
    expect(data.error).toBe(`process exited with code 255\n${data.stderr}`);
    const syntax = JSON.parse((await python('def')).text).data;
    expect(syntax.stderr).toMatch(/^ {2}File "<fd3>", line 1\n/);
  });

  it('have the modules and the name that scripts rely on', async () => {
    expect(JSON.parse((await python('print(__name__, os.sep, sys.argv[1:])')).text).data.stdout).toBe(
      '__main__ / []\n',
    );
  });

  it('that make a forbidden call find “operation not permitted” where dify-sandbox’s users look for it', async () => {
    const { data } = JSON.parse((await python('import os; os.fork()')).text);
    expect(data.error).toMatch(
      /^process exited with code 255\nerror: operation not permitted\ndenied system calls: \w+\nTraceback/,
    );
  });

  it('that cope with it have no error', async () => {
    const { data } = JSON.parse((await python('import os\ntry: os.fork()\nexcept OSError as e: print(e)')).text);
    expect(data).toEqual({ stdout: '[Errno 1] Operation not permitted\n', stderr: '', error: '', exit_code: 0 });
  });

  it('that take too long say so, and keep what they have printed', async () => {
    await using quick = await toyService(cellar, { limits: { wallMs: 3000 } });
    const answer = await answerOf(
      quick.difyRun({ language: 'python3', code: 'import time; print(1, flush=True); time.sleep(60)' }),
    );
    expect(answer).toEqual(
      ok(
        String.raw`{"stdout":"1\n","stderr":"","error":"process exited with code -1\nerror: timeout\n","exit_code":-1}`,
      ),
    );
  });

  it('that print without end are ended, and say so', async () => {
    const { data } = JSON.parse((await python('while True: print("x" * 1000)')).text);
    expect([data.exit_code, data.error, data.stdout.length]).toEqual([
      -1,
      'process exited with code -1\nerror: output limit exceeded\n',
      65_536,
    ]);
  });

  it('have a network only where it was asked for', async () => {
    const code = 'import socket\ntry: socket.socket(); print("open")\nexcept OSError: print("closed")';
    const outputs = [false, true].map(async (enable) => {
      const response = await toy.difyRun({ language: 'python3', code, enable_network: enable });
      return JSON.parse(await response.text()).data.stdout;
    });
    expect(await Promise.all(outputs)).toEqual(['closed\n', 'open\n']);
  });

  it('run a preload before the code, in its globals, only where it is enabled', async () => {
    const body = { language: 'python3', code: 'print(globals().get("x"))', preload: 'x = 1' };
    await using enabled = await toyService(cellar, { enablePreload: true });
    const outputs = [toy, enabled].map(async (one) => JSON.parse(await (await one.difyRun(body)).text()).data.stdout);
    expect(await Promise.all(outputs)).toEqual(['None\n', '1\n']);
  });

  it('take forms, too', async () => {
    const form = new URLSearchParams({ language: 'python3', code: 'print("a+b")' });
    const multipart = new FormData();
    for (const [name, value] of form) multipart.append(name, value);
    for (const body of [form, multipart]) {
      const answer = await answerOf(toy.send('/v1/sandbox/run', { method: 'POST', body }));
      expect(answer).toEqual(ok(String.raw`{"stdout":"a+b\n","stderr":"","error":"","exit_code":0}`));
    }
  });

  it.skipIf(WITHOUT_NODE)('of Node.js have its profile, and end with 1 by an exception', async () => {
    const work =
      'output = require("node:crypto").createHash("md5").update("").digest("hex"); setTimeout(() => console.log(output), 5)';
    expect(await nodejs(work)).toEqual(
      ok(String.raw`{"stdout":"d41d8cd98f00b204e9800998ecf8427e\n","stderr":"","error":"","exit_code":0}`),
    );
    const { data } = JSON.parse((await nodejs('throw new Error("no")')).text);
    expect(data.exit_code).toBe(1);
    expect(data.error).toMatch(/^process exited with code 1\n[^]*Error: no/);
  });

  it('are told to whoever watches, without their code', async () => {
    const before = toy.told.ended.length;
    await python('print("secret")');
    const run = toy.told.ended[before];
    expect(run).toMatchObject({ endpoint: 'dify', language: 'python3', keyName: 'tests', status: 'ok', start: 'cold' });
    expect(JSON.stringify(toy.told)).not.toContain('secret');
  });
});

describe.skipIf(CANNOT_SANDBOX)('what Dify’s nodes send', () => {
  /** The form of Dify's runner scripts: the user's function, its inputs in base64, the result between two marks. */
  const inputs = Buffer.from(JSON.stringify({ name: 'Zoë <b>' })).toString('base64');
  const pythonNode = `def main(name):
    return {"greeting": "Hello " + name, "n": [1, 2.5, None]}

import json
from base64 import b64decode
inputs_obj = json.loads(b64decode('${inputs}').decode('utf-8'))
output_obj = main(**inputs_obj)
output_json = json.dumps(output_obj, indent=4)
result = f'''<<RESULT>>{output_json}<<RESULT>>'''
print(result)
`;
  const templateNode = `
def main(**inputs):
    import jinja2
    template = jinja2.Template('''Dear {{ name }},''')
    return template.render(**inputs)

import json
from base64 import b64decode
inputs_obj = json.loads(b64decode('${inputs}').decode('utf-8'))
output = main(**inputs_obj)
result = f'''<<RESULT>>{output}<<RESULT>>'''
print(result)
`;
  const templatePreload = `
import jinja2
def _preload_():
    jinja2.Template('{{s}}').render(s='a')
if __name__ == '__main__':
    _preload_()
`;
  const scriptNode = `function main({name}) { return { greeting: "Hello " + name } }
output = main({"name": "Zoë"})
output = JSON.stringify(output)
result = \`<<RESULT>>\${output}<<RESULT>>\`
console.log(result)
`;

  it.each(Object.keys(WRITINGS))('the Python node, by %s', async (client) => {
    const body = { language: 'python3', code: pythonNode, preload: '', enable_network: true };
    expect(JSON.parse(await asDify(body, client))).toEqual({ greeting: 'Hello Zoë <b>', n: [1, 2.5, null] });
  });

  it.each(Object.keys(WRITINGS))('the template node, by %s', async (client) => {
    const body = { language: 'python3', code: templateNode, preload: templatePreload, enable_network: true };
    expect(await asDify(body, client)).toBe('Dear Zoë <b>,');
    const old = { ...body, dependencies: [{ name: 'jinja2', version: '' }] };
    expect(await asDify(old, client)).toBe('Dear Zoë <b>,');
  });

  it.skipIf(WITHOUT_NODE).each(Object.keys(WRITINGS))('the JavaScript node, by %s', async (client) => {
    const body = { language: 'nodejs', code: scriptNode, preload: '', enable_network: true };
    expect(JSON.parse(await asDify(body, client))).toEqual({ greeting: 'Hello Zoë' });
  });
});

describe('dependencies', () => {
  it('are what the image has, with their versions', async () => {
    expect(await answerOf(toy.send('/v1/sandbox/dependencies?language=python3'))).toEqual(listed('3.1.6'));
    const none = await answerOf(toy.send('/v1/sandbox/dependencies'));
    expect(none).toEqual({ status: 200, type: JSON_TYPE, text: refused(missing('Language')) });
    const headers = { 'content-type': 'application/json' };
    const empty = await answerOf(toy.send('/v1/sandbox/dependencies?language=python3', { headers }));
    expect(empty).toEqual({ status: 400, type: 'text/plain; charset=utf-8', text: refused('EOF') });
  });

  it('are built again by refresh and update, and served when they are there', async () => {
    let version = 1;
    await using own = await toyService(cellar, { build: () => cellar.rebuild(`${(version += 1)}.0`) });
    const language = {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"language":"python3"}',
    };
    expect(await answerOf(own.send('/v1/sandbox/dependencies/refresh?language=python3'))).toEqual(listed('2.0'));
    expect(await answerOf(own.send('/v1/sandbox/dependencies/update', language))).toEqual(ok('{}'));
    expect(await answerOf(own.send('/v1/sandbox/dependencies?language=python3'))).toEqual(listed('3.0'));
  });

  it('stay as they are when that fails, and the answers say so', async () => {
    const { RootcellarError } = await import('../../src/base/rootcellar-error.ts');
    const fault = new RootcellarError('E_REQUIREMENT_UNKNOWN', 'there is no such thing');
    await using own = await toyService(cellar, { build: () => Promise.reject(fault) });
    const before = await answerOf(own.send('/v1/sandbox/dependencies?language=python3'));
    const update = { method: 'POST', body: new URLSearchParams({ language: 'python3' }) };
    expect(await answerOf(own.send('/v1/sandbox/dependencies/refresh?language=python3'))).toEqual(
      ok('{"dependencies":null}'),
    );
    expect(await answerOf(own.send('/v1/sandbox/dependencies/update', update))).toEqual({
      status: 200,
      type: JSON_TYPE,
      text: '{"code":-500,"message":"there is no such thing","data":null}',
    });
    expect(await answerOf(own.send('/v1/sandbox/dependencies?language=python3'))).toEqual(before);
    expect(own.told.notices.filter((notice) => notice.includes('no such thing'))).toHaveLength(1);
    expect(own.service.state().problem).toBe('there is no such thing');
  });
});
