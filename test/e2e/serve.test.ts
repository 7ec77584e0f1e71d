import { mkdir, writeFile } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { CANNOT_SANDBOX } from '../native/toy-cell.ts';
import { pythonImage, sharedHome, workplace } from '../support/command.ts';
import { served } from '../support/served.ts';

const KEY = 'key-of-this-test';

type Body = Readonly<Record<string, unknown>>;

async function post(url: string, path: string, body: Body): Promise<Response> {
  const headers = { 'x-api-key': KEY, 'content-type': 'application/json' };
  return fetch(`${url}${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
}

async function difyOutput(url: string, body: Body): Promise<string> {
  const { code, message, data } = Object(
    await (await post(url, '/v1/sandbox/run', { enable_network: true, ...body })).json(),
  );
  expect([code, message, data?.error]).toEqual([0, 'success', '']);
  return data.stdout;
}

/** What Dify's template node sends, with the text and the inputs that a user gives. */
function templateCode(template: string, inputs: Body): string {
  return `
def main(**inputs):
    import jinja2
    template = jinja2.Template('''${template}''')
    return template.render(**inputs)

import json
from base64 import b64decode
inputs_obj = json.loads(b64decode('${Buffer.from(JSON.stringify(inputs)).toString('base64')}').decode('utf-8'))
output = main(**inputs_obj)
result = f'''<<RESULT>>{output}<<RESULT>>'''
print(result)
`;
}

const CONFIG = `app:
  port: 8194
  debug: True
  key: dify-sandbox
max_workers: 4
max_requests: 50
worker_timeout: 5
python_path: /opt/python/bin/python3
enable_network: True
enable_preload: False
allowed_syscalls:
proxy:
  socks5: ''
  http: ''
  https: ''
`;

describe.skipIf(CANNOT_SANDBOX)('rootcellar serve', () => {
  beforeAll(() => pythonImage());

  it('answers everybody at ten times its capacity, and goes on', async () => {
    await using place = await workplace();
    const words = ['python', '--listen', '127.0.0.1:0', '--workers', '2', '--max-requests', '8'];
    await using own = served(words, {
      home: sharedHome(),
      cwd: place.folder,
      environment: { ROOTCELLAR_API_KEY: KEY },
    });
    const url = await own.url();
    const all = await Promise.all(
      Array.from({ length: 80 }, (_, index) =>
        post(url, index % 2 === 0 ? '/v1/run' : '/v1/sandbox/run', { language: 'python3', code: 'print(1)' }),
      ),
    );
    const statuses = new Set(all.map(({ status }) => status));
    expect([...statuses].toSorted((a, b) => a - b)).toEqual([200, 429, 503]);
    expect(await (await post(url, '/v1/run', { code: 'print(2)' })).text()).toContain(String.raw`"stdout":"2\n"`);
  });

  it('stays small whatever a program prints', async () => {
    await using place = await workplace();
    await using own = served(['python', '--listen', '127.0.0.1:0'], {
      home: sharedHome(),
      cwd: place.folder,
      environment: { ROOTCELLAR_API_KEY: KEY },
    });
    const url = await own.url();
    await post(url, '/v1/run', { code: 'print(1)' });
    const before = await own.memory();
    const runs = Array.from({ length: 8 }, () => post(url, '/v1/run', { code: 'while True: print("x" * 10**6)' }));
    for (const run of runs) expect(await (await run).text()).toContain('"status":"output_limit"');
    expect((await own.memory()) - before).toBeLessThan(64 * 1024 ** 2);
  });

  it('takes the place of dify-sandbox with its shipped configuration', async () => {
    await using place = await workplace();
    await place.write({ 'conf/config.yaml': CONFIG });
    await mkdir(place.path('dependencies'));
    const requirements = place.path('dependencies/python-requirements.txt');
    await writeFile(requirements, '# none yet\n');
    await using own = served(['--config', 'conf/config.yaml', '--listen', '127.0.0.1:0'], {
      home: sharedHome(),
      cwd: place.folder,
      environment: { API_KEY: KEY },
    });
    const url = await own.url();
    await expect.poll(async () => (await fetch(`${url}/ready`)).status, { timeout: 240_000, interval: 500 }).toBe(200);
    const template = templateCode('Dear {{ name|upper }},{% for n in list %} {{ n }}{% endfor %}', {
      name: 'Zoë',
      list: [1, 2],
    });
    expect(await difyOutput(url, { language: 'python3', code: template, preload: '' })).toBe(
      '<<RESULT>>Dear ZOË, 1 2<<RESULT>>\n',
    );
    expect(
      await difyOutput(url, { language: 'python3', code: 'import httpx, requests, socks; print(requests.__name__)' }),
    ).toBe('requests\n');
    expect(await difyOutput(url, { language: 'nodejs', code: 'output = 6 * 7; console.log(output)' })).toBe('42\n');
    const list = async (path: string): Promise<readonly { readonly name: string; readonly version: string }[]> => {
      const response = await fetch(`${url}/v1/sandbox/dependencies${path}?language=python3`, {
        headers: { 'x-api-key': KEY },
      });
      return Object(await response.json()).data.dependencies;
    };
    // Nodes begin with it imported: its kind of cells is there besides the one for all others.
    const state = Object(await (await fetch(`${url}/v1/status`, { headers: { 'x-api-key': KEY } })).json());
    expect(state.pools).toMatchObject([{ image: 'dify-sandbox', size: 12 }]);
    expect((await list('')).find(({ name }) => name === 'jinja2')?.version).toMatch(/^3\.\d/);
    expect((await list('')).some(({ name }) => name === 'six')).toBe(false);
    await writeFile(requirements, 'six==1.16.0\n');
    expect((await list('/refresh')).find(({ name }) => name === 'six')).toEqual({ name: 'six', version: '1.16.0' });
    expect(await difyOutput(url, { language: 'python3', code: 'import six; print(six.__version__)' })).toBe('1.16.0\n');
  });
});
