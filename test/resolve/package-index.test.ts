import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withPackageIndex, type PackageIndex } from '../../src/resolve/package-index.ts';
import { startFileServer } from '../support/file-server.ts';
import { toyCertificate, type ToyCertificate } from '../support/toy-certificate.ts';
import { startToyIndex, type ToyIndexOptions } from '../support/toy-index.ts';

const WHEELS = [{ name: 'Toy.One', version: '1.0', uploaded: '2026-01-02T03:04:05.6Z' }];
const FILE = 'Toy_One-1.0-py3-none-any.whl';
const BASIC = `Basic ${Buffer.from('me:p@ss').toString('base64')}`;

interface Access {
  readonly links?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly netrc?: string;
  readonly keyring?: boolean;
  readonly trustedHosts?: readonly string[];
  readonly signal?: AbortSignal;
}

async function ask<T>(
  addresses: readonly string[],
  body: (index: PackageIndex) => Promise<T>,
  access: Access = {},
): Promise<T> {
  const { environment = {}, netrc, keyring = false, trustedHosts = [], links = [], signal } = access;
  return await withPackageIndex(
    {
      plan: {
        indexes: addresses.map((address, index) => ({ address, label: `index ${index + 1}` })),
        links: links.map((address) => ({ address, identity: 'links', label: 'links' })),
        trustedHosts,
      },
      machine: { netrc, keyring, authorities: [], proxy: undefined },
      settings: {
        hostArchitecture: 'amd64',
        environment,
        cacheFolder: '/nowhere',
        temporaryFolder: '/nowhere',
        now: 0,
        signal,
      },
    },
    body,
  );
}

async function namesAt(addresses: readonly string[], access: Access = {}): Promise<readonly string[]> {
  return await ask(addresses, async (index) => (await index.project('toy-one')).files.map(({ file }) => file), access);
}

async function only(
  options: Partial<ToyIndexOptions>,
): Promise<{ readonly file: object | undefined; readonly size: number }> {
  await using toy = await startToyIndex({ wheels: WHEELS, ...options });
  return await ask([toy.url], async (index) => {
    const [file] = (await index.project('toy-one')).files;
    if (file === undefined) throw new Error('there must be a file');
    expect(await index.digestOf({ ...file, digest: undefined })).toBe(file.digest);
    return { file: { ...file, url: '' }, size: await index.sizeOf(file) };
  });
}

let folder = '';
let certificate: ToyCertificate;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'package-index-'));
  certificate = toyCertificate(folder);
});

afterAll(() => rm(folder, { recursive: true, force: true }));

describe('withPackageIndex()', () => {
  it('reads JSON and HTML to the same, size and date included', async () => {
    const json = await only({ metadata: true });
    const html = await only({ format: 'html' });
    expect(json.file).toMatchObject({ file: FILE, uploaded: 1767323045, yanked: false, hasMetadata: true });
    expect(html.file).toMatchObject({ file: FILE, uploaded: 1767323045, size: undefined, hasMetadata: false });
    expect(json.size).toBeGreaterThan(100);
    expect(html.size).toBe(json.size);
  });

  it('finds the size where the server knows no HEAD', async () => {
    await using toy = await startToyIndex({ wheels: WHEELS, sizes: false });
    const size = await ask([toy.url], async (index) => {
      const [file] = (await index.project('toy-one')).files;
      if (file === undefined) throw new Error('there must be a file');
      toy.server.faults.set(`/files/${FILE}`, { kind: 'status', status: 405, times: 1 });
      return await index.sizeOf(file);
    });
    expect(size).toBe(toy.wheels.get(FILE)?.length);
  });

  it('takes a project from the first index that knows it, asks no further one, and each page once', async () => {
    await using first = await startToyIndex({ wheels: [] });
    await using second = await startToyIndex({ wheels: WHEELS });
    await using third = await startToyIndex({ wheels: [{ name: 'toy-one', version: '2.0' }] });
    const project = await ask([first.url, second.url, third.url], async (index) => {
      await index.project('Toy.One');
      return await index.project('toy_one');
    });
    expect(project.files.map(({ file }) => file)).toEqual([FILE]);
    expect(project.label).toBe('index 2');
    expect(second.server.requests).toEqual(['GET /simple/toy-one/']);
    expect(third.server.requests).toEqual([]);
  });

  it('does not go on to another index when one is out of order', async () => {
    await using first = await startToyIndex({ wheels: WHEELS });
    await using second = await startToyIndex({ wheels: [{ name: 'toy-one', version: '2.0' }] });
    for (const status of [401, 403, 500]) {
      first.server.faults.set('/simple/toy-one/', { kind: 'status', status });
      const code = status === 500 ? 'E_DOWNLOAD' : 'E_INDEX_DENIED';
      const message = expect.stringMatching(/^package index \(index 1\): /);
      await expect(namesAt([first.url, second.url])).rejects.toMatchObject({ code, message });
    }
    expect(second.server.requests).toEqual([]);
  });

  it('finds nothing where no index has the project', async () => {
    await using toy = await startToyIndex({ wheels: [] });
    expect(await ask([toy.url], (index) => index.project('nope'))).toEqual({ files: [], label: undefined });
  });

  it('reads folders, pages and local indexes', async () => {
    const place = join(folder, 'local');
    await mkdir(join(place, 'simple/toy-one'), { recursive: true });
    await writeFile(join(place, 'toy_one-3-py3-none-any.whl'), 'x');
    await writeFile(join(place, 'other-3-py3-none-any.whl'), 'x');
    await writeFile(join(place, 'simple/toy-one/index.html'), '<a href="../../toy_one-4-py3-none-any.whl">x</a>');
    await writeFile(join(place, 'page.html'), '<a href="toy_one-5-py3-none-any.whl">x</a>');
    const links = [`file://${place}`, `file://${place}/page.html`];
    expect(await namesAt([`file://${place}/simple`], { links })).toEqual([
      'toy_one-3-py3-none-any.whl',
      'toy_one-5-py3-none-any.whl',
      'toy_one-4-py3-none-any.whl',
    ]);
    await expect(namesAt([], { links: [`file://${place}/none`] })).rejects.toMatchObject({ code: 'E_DOWNLOAD' });
  });
});

describe('credentials', () => {
  it('are those of the address, for pages and for files on the same origin', async () => {
    await using toy = await startToyIndex({ wheels: WHEELS, credentials: 'me:p@ss' });
    const address = toy.url.replace('//', '//me:p%40ss@');
    const [file] = await ask([address], async (index) => (await index.project('toy-one')).files);
    expect(file?.url).toBe(`${address.replace('/simple', '/files')}/${FILE}`);
    expect(new Set(toy.server.authorizations)).toEqual(new Set([BASIC]));
  });

  it('are those of netrc, where the address has none or only the user', async () => {
    await using toy = await startToyIndex({ wheels: WHEELS, credentials: 'me:p@ss' });
    const netrc = 'machine 127.0.0.1 login me password p@ss\n';
    expect(await namesAt([toy.url], { netrc })).toEqual([FILE]);
    expect(await namesAt([toy.url.replace('//', '//me@')], { netrc })).toEqual([FILE]);
    await expect(namesAt([toy.url.replace('//', '//you@')], { netrc })).rejects.toMatchObject({
      code: 'E_INDEX_DENIED',
    });
  });

  it('are those of keyring, after a refusal, when it may be asked', async () => {
    await using toy = await startToyIndex({ wheels: WHEELS, credentials: 'me:p@ss' });
    const tools = join(folder, 'tools');
    await mkdir(tools, { recursive: true });
    await writeFile(
      join(tools, 'keyring'),
      '#!/bin/sh\necho "$@" >> "$KEYRING_LOG"\n[ "$1" = get ] || echo me\ncase "$*" in *127.0.0.1*simple*) echo "p@ss";; *) exit 1;; esac\n',
    );
    await chmod(join(tools, 'keyring'), 0o755);
    const environment = { PATH: `${tools}:${process.env['PATH'] ?? ''}`, KEYRING_LOG: join(folder, 'log') };
    expect(await namesAt([toy.url], { environment, keyring: true })).toEqual([FILE]);
    expect(await namesAt([toy.url.replace('//', '//me@')], { environment, keyring: true })).toEqual([FILE]);
    await expect(namesAt([toy.url], { environment })).rejects.toMatchObject({
      code: 'E_INDEX_DENIED',
      message: 'package index (index 1): it wants credentials, or others (HTTP status 401)',
      hint: expect.stringContaining('~/.netrc'),
    });
  });

  it('go to no other origin: neither by a link nor by a redirect', async () => {
    await using other = await startToyIndex({ wheels: WHEELS });
    await using toy = await startToyIndex({ wheels: [] });
    toy.server.answer = (path) =>
      path === '/simple/toy-one/' ? { content: Buffer.from(''), location: `${other.url}/toy-one/` } : undefined;
    const address = toy.url.replace('//', '//me:p%40ss@');
    const [file] = await ask([address], async (index) => (await index.project('toy-one')).files);
    expect(toy.server.authorizations).toEqual([BASIC]);
    expect(other.server.authorizations).toEqual(['']);
    expect(file?.url).toBe(`${other.server.url}/files/${FILE}`);
    const link = `<a href="${other.server.url}/files/${FILE}">x</a>`;
    toy.server.answer = () => ({ content: Buffer.from(link), type: 'text/html' });
    const [linked] = await ask([address], async (index) => (await index.project('toy-one')).files);
    expect(linked?.url).toBe(`${other.server.url}/files/${FILE}`);
  });

  it('are kept by a redirect on the same origin, and a redirect to this machine’s files is refused', async () => {
    await using toy = await startToyIndex({ wheels: WHEELS, credentials: 'me:p@ss' });
    const address = `${toy.server.url.replace('//', '//me:p%40ss@')}/moved`;
    toy.server.files.set('/moved/toy-one/', { content: Buffer.from(''), location: '/simple/toy-one/' });
    expect(await namesAt([address])).toEqual([FILE]);
    toy.server.files.set('/moved/toy-one/', { content: Buffer.from(''), location: 'file:///etc/passwd' });
    await expect(namesAt([address])).rejects.toMatchObject({ code: 'E_DOWNLOAD' });
  });
});

describe('connections', () => {
  it('bring no file of this machine, though a page of the web names one', async () => {
    await using server = await startFileServer();
    const text = `<a href="file:///srv/${FILE}">x</a><a href="toy_one-2-py3-none-any.whl">x</a>`;
    server.answer = () => ({ content: Buffer.from(text), type: 'text/html' });
    expect(await namesAt([server.url])).toEqual(['toy_one-2-py3-none-any.whl']);
    expect(await namesAt([], { links: [`${server.url}/page`] })).toEqual(['toy_one-2-py3-none-any.whl']);
  });

  it('trust the authorities that the user names, and no others', async () => {
    await using toy = await startToyIndex({ wheels: WHEELS, tls: certificate.tls });
    for (const name of ['SSL_CERT_FILE', 'PIP_CERT', 'REQUESTS_CA_BUNDLE', 'NODE_EXTRA_CA_CERTS']) {
      expect(await namesAt([toy.url], { environment: { [name]: certificate.authority } })).toEqual([FILE]);
    }
    expect(await namesAt([toy.url], { trustedHosts: ['127.0.0.1'] })).toEqual([FILE]);
    expect(await namesAt([toy.url], { trustedHosts: [new URL(toy.url).host] })).toEqual([FILE]);
    await expect(namesAt([toy.url], { trustedHosts: ['127.0.0.1:1', 'localhost'] })).rejects.toMatchObject({
      code: 'E_DOWNLOAD',
      message: expect.stringMatching(/^package index \(index 1\): its certificate is not trusted .*SSL_CERT_FILE$/),
    });
    await expect(namesAt([toy.url], { environment: { SSL_CERT_FILE: '/nowhere' } })).rejects.toMatchObject({
      code: 'E_USAGE',
    });
  });

  it('go through the proxy of the environment, unless NO_PROXY has the host', async () => {
    await using toy = await startToyIndex({ wheels: WHEELS });
    const asked: string[] = [];
    const proxy = createServer((request, response) => {
      asked.push(request.url ?? '');
      void fetch(request.url ?? '').then(async (answer) => response.end(Buffer.from(await answer.arrayBuffer())));
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    const address = proxy.address();
    const url = `http://127.0.0.1:${typeof address === 'object' ? (address?.port ?? 0) : 0}`;
    try {
      expect(await namesAt([toy.url], { environment: { http_proxy: url } })).toEqual([FILE]);
      expect(asked).toEqual([`${toy.url}/toy-one/`]);
      expect(await namesAt([toy.url], { environment: { HTTP_PROXY: url, NO_PROXY: '127.0.0.1' } })).toEqual([FILE]);
      expect(asked).toHaveLength(1);
    } finally {
      proxy.closeAllConnections();
      proxy.close();
    }
  });

  it('try again after a fault that passes', async () => {
    await using toy = await startToyIndex({ wheels: WHEELS });
    toy.server.faults.set('/simple/toy-one/', { kind: 'drop', times: 1 });
    expect(await namesAt([toy.url])).toHaveLength(1);
    toy.server.faults.set('/simple/toy-one/', { kind: 'status', status: 503, times: 2 });
    expect(await namesAt([toy.url])).toHaveLength(1);
    toy.server.faults.set('/simple/toy-one/', { kind: 'truncate', times: 1 });
    expect(await namesAt([toy.url])).toHaveLength(1);
  });

  it.each(['drop', 'truncate'] as const)('throw E_DOWNLOAD without the address when it stays so: %s', async (kind) => {
    await using toy = await startToyIndex({ wheels: WHEELS });
    toy.server.faults.set('/simple/toy-one/', { kind });
    await expect(namesAt([toy.url])).rejects.toMatchObject({
      code: 'E_DOWNLOAD',
      message: expect.not.stringContaining('127.0.0.1'),
    });
  });

  it('throw E_DOWNLOAD where nothing listens', async () => {
    const gone = await startToyIndex({ wheels: [] });
    await gone.close();
    await expect(namesAt([gone.url])).rejects.toMatchObject({
      code: 'E_DOWNLOAD',
      message: 'package index (index 1): no answer (ECONNREFUSED)',
    });
  });

  it.each([
    ['no JSON', 'application/vnd.pypi.simple.v1+json', '{"files":5}'],
    ['a login page', 'text/html', '<html><form action="/login"><input name="user"></form></html>'],
    ['links to no packages', 'text/html', '<a href="/docs">docs</a>'],
    ['an image', 'image/png', 'PNG'],
  ])('throw E_INDEX_INVALID for %s', async (_what, type, text) => {
    await using server = await startFileServer();
    server.answer = () => ({ content: Buffer.from(text), type });
    await expect(namesAt([server.url])).rejects.toMatchObject({ code: 'E_INDEX_INVALID', hint: expect.any(String) });
  });

  it('take an empty page for a project without files, and packed pages', async () => {
    await using server = await startFileServer();
    server.answer = () => ({ content: Buffer.from('<!DOCTYPE html><html><body></body></html>'), type: 'text/html' });
    const project = await ask([server.url], (index) => index.project('toy-one'));
    expect(project).toEqual({ files: [], label: 'index 1' });
    const packed = gzipSync(`<a href="${FILE}">x</a>`);
    const plain = createServer((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/html', 'content-encoding': 'gzip' }).end(packed);
    });
    await new Promise<void>((resolve) => plain.listen(0, '127.0.0.1', resolve));
    const address = plain.address();
    expect(await namesAt([`http://127.0.0.1:${typeof address === 'object' ? (address?.port ?? 0) : 0}`])).toEqual([
      FILE,
    ]);
    plain.closeAllConnections();
    plain.close();
  });

  it('throw E_CANCELLED when they are stopped', async () => {
    await using toy = await startToyIndex({ wheels: WHEELS });
    await expect(namesAt([toy.url], { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'E_CANCELLED' });
    expect(toy.server.requests).toEqual([]);
  });

  it('refuse an address that is no HTTP', async () => {
    await expect(namesAt(['ftp://x/simple'])).rejects.toMatchObject({ code: 'E_INDEX_INVALID' });
  });
});
