import { createServer } from 'node:http';
import { mkdirSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CANNOT_SANDBOX } from '../native/toy-cell.ts';
import { rootcellar } from '../support/command.ts';
import { copyPython, hostFolder, type HostFolder } from '../support/host-python.ts';
import { served, type Served } from '../support/served.ts';

let host: HostFolder;
let python: string;

beforeAll(() => {
  host = hostFolder();
  python = copyPython(host.path('python')).program;
}, 60_000);

afterAll(() => host[Symbol.dispose]());

/** Files as an administrator of dify-sandbox has them. */
function difyFolder(name: string, { config = '', requirements = '' } = {}): string {
  const folder = host.path(name);
  mkdirSync(`${folder}/conf`, { recursive: true });
  mkdirSync(`${folder}/dependencies`, { recursive: true });
  const text = `app: { port: 8194, key: own-key }\nmax_workers: 2\nmax_requests: 10\nworker_timeout: 60\npython_path: ${python}\n${config}`;
  writeFileSync(`${folder}/conf/config.yaml`, text);
  writeFileSync(`${folder}/dependencies/python-requirements.txt`, requirements);
  return folder;
}

function serveDify(folder: string, environment: Readonly<Record<string, string>> = {}): Served {
  const words = ['--config', 'conf/config.yaml', '--listen', '127.0.0.1:0'];
  return served(words, { home: host.path('store'), cwd: folder, environment });
}

/** All of stdout: one JSON object a line, and nothing else. */
function logOf({ stdout }: Served): readonly unknown[] {
  return stdout()
    .trimEnd()
    .split('\n')
    .map((line): unknown => JSON.parse(line));
}

async function ready(url: string): Promise<void> {
  await expect.poll(async () => (await fetch(`${url}/ready`)).status, { timeout: 60_000, interval: 100 }).toBe(200);
}

async function run(url: string, body: Readonly<Record<string, unknown>>): Promise<Readonly<Record<string, unknown>>> {
  const headers = { 'x-api-key': 'own-key', 'content-type': 'application/json' };
  const sent = { language: 'python3', enable_network: true, ...body };
  const response = await fetch(`${url}/v1/sandbox/run`, { method: 'POST', headers, body: JSON.stringify(sent) });
  return Object(await response.json());
}

function refused(words: readonly string[], environment = {}): ReturnType<typeof rootcellar> {
  return rootcellar(['serve', ...words], { home: host.path('store'), environment });
}

describe('rootcellar serve', () => {
  it('says what is lacking', async () => {
    const { status, stderr } = await refused([]);
    expect([status, stderr]).toEqual([2, expect.stringContaining('serve: there is no image to serve')]);
    expect((await refused(['nothing'])).stderr).toContain('E_IMAGE_NOT_FOUND');
    expect((await refused(['nothing', '--keys', host.path('none')])).stderr).toContain('--keys: the file');
  });

  it('does not listen to others without a key, or with the one that everybody knows', async () => {
    const { status, stderr } = await refused(['python', '--listen', '0.0.0.0:0']);
    expect([status, stderr]).toEqual([1, expect.stringContaining('E_UNSAFE_LISTEN')]);
    const known = await refused(['python', '--listen', '[::]:0'], { ROOTCELLAR_API_KEY: 'dify-sandbox' });
    expect(known.stderr).toContain('which everybody knows');
  });
});

describe.skipIf(CANNOT_SANDBOX)('rootcellar serve --config', () => {
  it('makes the image while it is listening, and serves it the next time at once', async () => {
    const folder = difyFolder('first', { config: 'enable_network: True\nenable_preload: False\n' });
    await using first = serveDify(folder, { ENABLE_PRELOAD: 'true' });
    const url = await first.url();
    expect((await fetch(`${url}/health`)).status).toBe(200);
    await ready(url);
    const body = { code: 'import socket; socket.socket(); print(x)', preload: 'x = 42' };
    expect(await run(url, body)).toEqual({
      code: 0,
      message: 'success',
      data: { stdout: '42\n', stderr: '', error: '', exit_code: 0 },
    });
    first.kill('SIGTERM');
    expect(await first.ended).toBe(0);
    const ran = { level: 'info', event: 'run', endpoint: 'dify', status: 'ok', denied: [] };
    expect(logOf(first).at(-1)).toMatchObject(ran);
    expect(first.stdout() + first.stderr()).not.toContain('own-key');
    await using second = serveDify(folder);
    expect((await fetch(`${await second.url()}/ready`)).status).toBe(200);
    expect(logOf(second)[0]).toMatchObject({
      event: 'notice',
      msg: expect.stringMatching(/^image `dify-sandbox` generation 1/),
    });
  });

  it('goes on with an older image where a new one cannot be made, and ends where there is none', async () => {
    const config = 'enable_network: True\n';
    const folder = difyFolder('broken', { config });
    await using whole = serveDify(folder);
    await ready(await whole.url());
    whole.kill('SIGTERM');
    expect(await whole.ended).toBe(0);
    difyFolder('broken', { config, requirements: '=== what\n' });
    await using old = serveDify(folder);
    const url = await old.url();
    await expect.poll(() => old.stdout(), { timeout: 30_000 }).toContain('python-requirements.txt');
    await ready(url);
    expect(await run(url, { code: 'print(1)' })).toMatchObject({ code: 0 });
    const other = served(['--config', 'conf/config.yaml', '--listen', '127.0.0.1:0'], {
      home: host.path('other-store'),
      cwd: folder,
    });
    expect(await other.ended).toBe(1);
    expect(other.stderr()).toMatch(/error\[E_REQUIREMENT_SYNTAX\]/);
  });

  it('takes edited requirements when it is asked to', async () => {
    const folder = difyFolder('edited', { config: 'enable_network: False\n' });
    await using own = serveDify(folder);
    const url = await own.url();
    await ready(url);
    const refresh = async (): Promise<string> =>
      (
        await fetch(`${url}/v1/sandbox/dependencies/refresh?language=python3`, { headers: { 'x-api-key': 'own-key' } })
      ).text();
    expect(await refresh()).toContain('"dependencies":[');
    writeFileSync(`${folder}/dependencies/python-requirements.txt`, '=== what\n');
    expect(await refresh()).toBe('{"code":0,"message":"success","data":{"dependencies":null}}');
    expect((await fetch(`${url}/ready`)).status).toBe(200);
  });

  it('lets a run end on the first signal, and ends it on the second', async () => {
    await using own = serveDify(difyFolder('signals', { config: 'enable_network: True\n' }));
    const url = await own.url();
    await ready(url);
    const running = run(url, { code: 'import time; time.sleep(50)' });
    const probe = async (): Promise<number> => (await fetch(`${url}/ready`)).status;
    await expect.poll(async () => (await run(url, { code: 'print(1)' }))['code']).toBe(0);
    own.kill('SIGTERM');
    await expect.poll(probe).toBe(503);
    own.kill('SIGTERM');
    expect(await running).toMatchObject({ code: -500 });
    expect(await own.ended).toBe(0);
  });

  it('says where it cannot listen', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const folder = difyFolder('taken');
    const own = served(['--config', 'conf/config.yaml', '--listen', `127.0.0.1:${port}`], {
      home: host.path('store'),
      cwd: folder,
    });
    expect(await own.ended).toBe(1);
    expect(own.stderr()).toMatch(/error\[E_LISTEN\].*EADDRINUSE/);
    server.close();
  });
});
