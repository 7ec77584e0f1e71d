import { createServer, type IncomingHttpHeaders } from 'node:http';
import { once } from 'node:events';
import { describe, expect, it, onTestFinished } from 'vitest';
import { noProgress } from '../../src/base/progress.ts';
import { parseReference } from '../../src/publish/image-reference.ts';
import { openRegistry, type Registry } from '../../src/publish/registry-client.ts';
import type { Credentials } from '../../src/publish/registry-credentials.ts';

interface Asked {
  readonly line: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A registry that wants tokens of a place beside it, which gives one to who may have it. */
async function tokenRegistry(mayHave: (asked: Asked) => boolean): Promise<{ host: string; asked: Asked[] }> {
  const asked: Asked[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const one = {
        line: `${request.method} ${request.url}`,
        headers: request.headers,
        body: Buffer.concat(chunks).toString(),
      };
      asked.push(one);
      if (one.line.includes(' /token')) {
        response.writeHead(mayHave(one) ? 200 : 401).end(JSON.stringify({ token: 'abc.def' }));
        return;
      }
      const isAllowed = request.headers.authorization === 'Bearer abc.def';
      const realm = `Bearer realm="http://${request.headers.host}/token",service="toy"`;
      response.writeHead(isAllowed ? 200 : 401, isAllowed ? {} : { 'www-authenticate': realm }).end();
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const address = server.address();
  return { host: typeof address === 'object' ? `127.0.0.1:${address?.port}` : '', asked };
}

async function registryAt(host: string, credentials: Credentials | undefined): Promise<Registry> {
  const registry = await openRegistry({
    reference: parseReference(`${host}/a/b:1`),
    environment: {},
    credentials: { credentials, where: '`file`' },
    plainHttp: false,
    signal: new AbortController().signal,
    progress: noProgress,
    retryDelayMs: 1,
  });
  onTestFinished(() => registry.close());
  return registry;
}

const WANTED = {
  method: 'GET',
  path: '/v2/a/b/x',
  scopes: ['repository:a/b:pull'],
  expected: [200],
  action: 'pull a/b',
} as const;

describe('Registry.send()', () => {
  it('gets a token with user and password, for what it needs, once', async () => {
    const basic = `Basic ${Buffer.from('me:secret').toString('base64')}`;
    const { host, asked } = await tokenRegistry(({ headers }) => headers.authorization === basic);
    const registry = await registryAt(host, { kind: 'login', username: 'me', password: 'secret' });
    for (const _ of [1, 2]) expect((await registry.send(WANTED)).status).toBe(200);
    const tokens = asked.filter(({ line }) => line.includes('/token'));
    expect(tokens.map(({ line }) => line)).toEqual(['GET /token?service=toy&scope=repository%3Aa%2Fb%3Apull']);
  });

  it('exchanges an identity token, without putting it into an address', async () => {
    const { host, asked } = await tokenRegistry(
      ({ body }) => new URLSearchParams(body).get('refresh_token') === 'secret',
    );
    const registry = await registryAt(host, { kind: 'identity', token: 'secret' });
    expect((await registry.send(WANTED)).status).toBe(200);
    expect(asked.some(({ line }) => line === 'POST /token')).toBe(true);
    expect(asked.map(({ line }) => line).join(' ')).not.toContain('secret');
  });

  it('asks for a token without a login, too', async () => {
    const { host } = await tokenRegistry(({ headers }) => headers.authorization === undefined);
    expect((await (await registryAt(host, undefined)).send(WANTED)).status).toBe(200);
  });

  it('tells where a login that is refused is from', async () => {
    const { host } = await tokenRegistry(() => false);
    const registry = await registryAt(host, { kind: 'login', username: 'me', password: 'secret' });
    await expect(registry.send(WANTED)).rejects.toMatchObject({
      code: 'E_REGISTRY_DENIED',
      message: expect.stringContaining('with the credentials of `file`'),
      hint: `docker login ${host}`,
    });
  });

  it('tells nobody else the login, wherever it is sent', async () => {
    const others: IncomingHttpHeaders[] = [];
    const other = createServer((request, response) => {
      others.push(request.headers);
      response.writeHead(200).end();
    }).listen(0, '127.0.0.2');
    const own = createServer((request, response) => {
      const address = other.address();
      const port = typeof address === 'object' ? address?.port : 0;
      if (request.headers.authorization === undefined)
        response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
      else response.writeHead(307, { location: `http://127.0.0.2:${port}/elsewhere` }).end();
    }).listen(0, '127.0.0.1');
    await Promise.all([other, own].map((server) => once(server, 'listening')));
    onTestFinished(() => void [other.close(), own.close()]);
    const address = own.address();
    const host = typeof address === 'object' ? `127.0.0.1:${address?.port}` : '';
    const registry = await registryAt(host, { kind: 'login', username: 'me', password: 'secret' });
    expect((await registry.send(WANTED)).status).toBe(200);
    expect(others).toHaveLength(1);
    expect(others[0]).not.toHaveProperty('authorization');
  });
});
