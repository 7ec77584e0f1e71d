import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer as createHttpServer, type IncomingMessage } from 'node:http';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { startEgressProxy, type EgressProxy, type EgressRequest } from '../../src/run/egress-proxy.ts';

const opened: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of opened.splice(0).toReversed()) await close();
});

interface Place {
  readonly proxy: EgressProxy;
  readonly socket: string;
}

async function proxyFor(request: Partial<EgressRequest>): Promise<Place> {
  const folder = mkdtempSync(join(tmpdir(), 'rootcellar-egress-'));
  const socket = join(folder, 'own', 'proxy');
  const proxy = await startEgressProxy({
    allow: [],
    place: { socket },
    lookup: () => Promise.reject(new Error('no name is looked up')),
    ...request,
  });
  opened.push(async () => {
    await proxy.close();
    expect(existsSync(join(folder, 'own'))).toBe(false);
    rmSync(folder, { recursive: true });
  });
  return { proxy, socket };
}

/** Everything that comes back for these bytes, until the proxy ends the connection. */
function exchange(
  socket: string,
  sent: string | Buffer,
  then?: (soFar: Buffer, client: Socket) => void,
): Promise<string> {
  return new Promise((resolve) => {
    const client = connect(socket, () => client.write(sent));
    let all = Buffer.alloc(0);
    client.on('data', (bytes: Buffer) => {
      all = Buffer.concat([all, bytes]);
      then?.(all, client);
    });
    client.on('error', () => undefined);
    client.on('close', () => resolve(all.toString('latin1')));
  });
}

interface Site {
  readonly port: number;
  readonly requests: { readonly head: string; readonly body: string }[];
}

async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  opened.push(() => server.close());
  const address: string | AddressInfo | null = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** Answers each request with its method and path, and remembers it. */
async function site(): Promise<Site> {
  const requests: { head: string; body: string }[] = [];
  const server = createHttpServer((request: IncomingMessage, response) => {
    let body = '';
    request.on('data', (bytes) => (body += String(bytes)));
    request.on('end', () => {
      requests.push({ head: [request.method, request.url, ...request.rawHeaders].join('|'), body });
      if (request.url === '/away') response.writeHead(302, { Location: 'http://169.254.169.254/' });
      response.end(`${request.method} ${request.url}\n`);
    });
  });
  return { port: await listening(server), requests };
}

async function echo(): Promise<number> {
  return listening(createServer((socket) => socket.on('error', () => undefined).pipe(socket)));
}

describe('startEgressProxy() for HTTP', () => {
  it('passes a request on to an allowed host, without what is for the proxy only', async () => {
    const { port, requests } = await site();
    const { proxy, socket } = await proxyFor({ allow: [`127.0.0.1:${port}`] });
    const lines = [
      `GET http://127.0.0.1:${port}/x?y=1 HTTP/1.1`,
      `Host: 127.0.0.1:${port}`,
      'Proxy-Authorization: Basic c2VjcmV0',
      'Proxy-Connection: keep-alive',
      'Connection: X-Hop, keep-alive',
      'X-Hop: 1',
      'X-End: 2',
    ];
    const answer = await exchange(socket, `${lines.join('\r\n')}\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\nGET \/x\?y=1\n$/);
    expect(requests.map(({ head }) => head)).toEqual([`GET|/x?y=1|Host|127.0.0.1:${port}|Connection|close|X-End|2`]);
    expect(proxy.events()).toEqual([{ kind: 'network_contacted', host: '127.0.0.1', port, count: 1 }]);
  });

  it.each([
    ['with a length', 'Content-Length: 5\r\n\r\nhello'],
    ['in chunks', 'Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n'],
  ])('passes a body on: %s', async (_, rest) => {
    const { port, requests } = await site();
    const { socket } = await proxyFor({ allow: [`127.0.0.1:${port}`] });
    for (const method of ['POST', 'DELETE']) {
      const target = `127.0.0.1:${port}`;
      const answer = await exchange(socket, `${method} http://${target}/ HTTP/1.1\r\nHost: ${target}\r\n${rest}`);
      expect(answer).toContain(`${method} /\n`);
    }
    expect(requests.map(({ body }) => body)).toEqual(['hello', 'hello']);
  });

  it('hands a redirect to a private address over, and refuses to follow it', async () => {
    const { port } = await site();
    const { proxy, socket } = await proxyFor({ allow: [`127.0.0.1:${port}`, '*'] });
    const target = `127.0.0.1:${port}`;
    expect(await exchange(socket, `GET http://${target}/away HTTP/1.1\r\nHost: ${target}\r\n\r\n`)).toContain(
      '169.254',
    );
    const answer = await exchange(socket, 'GET http://169.254.169.254/ HTTP/1.1\r\nHost: 169.254.169.254\r\n\r\n');
    expect(answer).toMatch(/^HTTP\/1\.1 403 [^]*its address is not one of the public internet\n$/);
    expect(proxy.events().at(-1)).toEqual({
      kind: 'network_refused',
      host: '169.254.169.254',
      port: 80,
      reason: 'private_address',
      count: 1,
    });
  });

  it('tunnels to an allowed host, and what follows the request at once', async () => {
    const port = await echo();
    const { socket } = await proxyFor({ allow: [`127.0.0.1:${port}`] });
    const answer = await exchange(socket, `CONNECT 127.0.0.1:${port} HTTP/1.0\r\n\r\nhello`, (all, client) => {
      if (all.includes('hello')) client.end();
    });
    expect(answer).toBe('HTTP/1.1 200 Connection established\r\n\r\nhello');
  });

  it('keeps a tunnel open in the other direction when one has ended', async () => {
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      socket.on('error', () => undefined);
      socket.resume().on('end', () => socket.end('all of it'));
    });
    const port = await listening(server);
    const { socket } = await proxyFor({ allow: [`127.0.0.1:${port}`] });
    const answer = await new Promise<string>((resolve) => {
      const client = connect({ path: socket, allowHalfOpen: true }, () =>
        client.write(`CONNECT 127.0.0.1:${port} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`),
      );
      let all = '';
      client.on('data', (bytes) => {
        if (all === '') client.end();
        all += String(bytes);
      });
      client.on('end', () => resolve(all));
    });
    expect(answer).toMatch(/established\r\n\r\nall of it$/);
  });
});

const REFUSED: readonly (readonly [what: string, request: string, status: number, reason: string])[] = [
  [
    'a host that is not allowed',
    'CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n',
    403,
    'host_not_allowed',
  ],
  [
    'a port that is not allowed',
    'CONNECT good.example:22 HTTP/1.1\r\nHost: good.example:22\r\n',
    403,
    'port_not_allowed',
  ],
  ['a name below one that is allowed', 'CONNECT a.good.example:443 HTTP/1.0\r\n', 403, 'host_not_allowed'],
  ['a name that there is not', 'CONNECT gone.example:443 HTTP/1.0\r\n', 403, 'unknown_host'],
  ['a name of a private address', 'CONNECT inside.example:443 HTTP/1.0\r\n', 403, 'private_address'],
  ['a name of the metadata service in IPv6', 'CONNECT mapped.example:80 HTTP/1.0\r\n', 403, 'private_address'],
  ['loopback as one number', 'CONNECT 2130706433:80 HTTP/1.0\r\n', 403, 'host_not_allowed'],
  ['a Host header for another', 'CONNECT good.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n', 400, 'bad_request'],
  ['another Host header', 'GET http://good.example/ HTTP/1.1\r\nHost: evil.example\r\n', 400, 'bad_request'],
  [
    'another port in the Host header',
    'GET http://good.example/ HTTP/1.1\r\nHost: good.example:8080\r\n',
    400,
    'bad_request',
  ],
  [
    'two Host headers with CONNECT',
    'CONNECT good.example:443 HTTP/1.1\r\nHost: good.example:443\r\nHost: evil.example:443\r\n',
    400,
    'bad_request',
  ],
  [
    'two Host headers',
    'GET http://good.example/ HTTP/1.1\r\nHost: good.example\r\nHost: evil.example\r\n',
    400,
    'bad_request',
  ],
  ['no Host header', 'GET http://good.example/ HTTP/1.1\r\n', 400, ''],
  ['a user in the address', 'GET http://u:p@good.example/ HTTP/1.1\r\nHost: good.example\r\n', 400, 'bad_request'],
  ['a path alone', 'GET / HTTP/1.1\r\nHost: good.example\r\n', 400, 'bad_request'],
  ['another scheme', 'GET ftp://good.example/ HTTP/1.1\r\nHost: good.example\r\n', 400, 'bad_request'],
  [
    'two lengths',
    'POST http://good.example/ HTTP/1.1\r\nHost: good.example\r\nContent-Length: 1\r\nContent-Length: 2\r\n',
    400,
    'bad_request',
  ],
  [
    'a length and chunks',
    'POST http://good.example/ HTTP/1.1\r\nHost: good.example\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n',
    400,
    'bad_request',
  ],
  [
    'a folded line',
    'GET http://good.example/ HTTP/1.1\r\nHost: good.example\r\nX: a\r\n b\r\n c: d\r\n',
    400,
    'bad_request',
  ],
  ['a blank before the colon', 'GET http://good.example/ HTTP/1.1\r\nHost : good.example\r\n', 400, 'bad_request'],
  [
    'a body with CONNECT',
    'CONNECT good.example:443 HTTP/1.1\r\nHost: good.example:443\r\nContent-Length: 5\r\n',
    400,
    'bad_request',
  ],
  ['no HTTP at all', 'SSH-2.0-x\r\n', 400, 'bad_request'],
  ['a zone', 'CONNECT [fe80::1%25lo]:80 HTTP/1.0\r\n', 400, 'bad_request'],
];

const NAMES: Readonly<Record<string, readonly string[]>> = {
  'inside.example': ['10.0.0.1', 'fd00::1', '64:ff9b::a00:1', '2002:a00:1::'],
  'mapped.example': ['::ffff:169.254.169.254'],
};

const lookup = (name: string): Promise<readonly string[]> => Promise.resolve(NAMES[name] ?? []);

describe('startEgressProxy() refuses', () => {
  it.each(REFUSED)('%s', async (_, request, status, reason) => {
    const allow = ['good.example', 'gone.example', 'inside.example', 'mapped.example'];
    const { proxy, socket } = await proxyFor({ allow, lookup });
    expect(await exchange(socket, `${request}\r\n`)).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    const reasons = proxy.events().map((event) => ('reason' in event ? event.reason : event.kind));
    expect(reasons).toEqual(reason === '' ? [] : [reason]);
  });

  it('a head that is too long', async () => {
    const { socket } = await proxyFor({ allow: ['good.example'], lookup });
    const long = `X: ${'y'.repeat(20_000)}`;
    const answer = await exchange(socket, `GET http://good.example/ HTTP/1.1\r\nHost: good.example\r\n${long}\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
  });

  it('a name that is another address at the second look: it is looked up once, and connected as it was judged', async () => {
    const { port, requests } = await site();
    const answers = [['127.0.0.1'], ['8.8.8.8']];
    let asked = 0;
    const { socket } = await proxyFor({
      allow: [`rebinding.example:${port}`],
      lookup: () => Promise.resolve(answers[asked++] ?? []),
    });
    const host = `rebinding.example:${port}`;
    expect(await exchange(socket, `GET http://${host}/ HTTP/1.1\r\nHost: ${host}\r\n\r\n`)).toContain('403');
    expect([asked, requests.length]).toEqual([1, 0]);
  });

  it('the second request of a connection', async () => {
    const { port, requests } = await site();
    const { socket } = await proxyFor({ allow: [`127.0.0.1:${port}`] });
    const one = `GET http://127.0.0.1:${port}/ HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`;
    await exchange(socket, `${one}${one}`);
    expect(requests).toHaveLength(1);
  });
});

function byName(host: string, port: number): Buffer {
  return Buffer.concat([Buffer.of(5, 1, 0, 3, host.length), Buffer.from(host), Buffer.of(port >> 8, port & 0xff)]);
}

describe('startEgressProxy() for SOCKS5', () => {
  const greeting = Buffer.of(5, 1, 0);

  it('connects with a name that the proxy resolves, and with an address', async () => {
    const port = await echo();
    const { proxy, socket } = await proxyFor({
      allow: [`127.0.0.1:${port}`, `local.example:${port}`],
      lookup: () => Promise.resolve(['127.0.0.1']),
    });
    const address = Buffer.of(5, 1, 0, 1, 127, 0, 0, 1, port >> 8, port & 0xff);
    for (const request of [byName('local.example', port), address]) {
      const answer = await exchange(socket, Buffer.concat([greeting, request, Buffer.from('hello')]), (all, client) => {
        if (all.includes('hello')) client.end();
      });
      expect(answer).toBe(`\u0005\u0000\u0005\u0000\u0000\u0001${'\0'.repeat(6)}hello`);
    }
    expect(proxy.events().map(({ kind }) => kind)).toEqual(['network_contacted', 'network_contacted']);
  });

  it.each([
    ['a host that is not allowed', byName('evil.example', 443), 2],
    ['a port that is not allowed', byName('good.example', 25), 2],
    ['a private address', byName('inside.example', 443), 2],
    ['a name that there is not', byName('gone.example', 443), 4],
    ['IPv4 in IPv6', Buffer.of(5, 1, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 127, 0, 0, 1, 0, 80), 2],
    ['listening', Buffer.of(5, 2, 0, 1, 1, 1, 1, 1, 0, 80), 7],
    ['another kind of address', Buffer.of(5, 1, 0, 9, 1, 1, 1, 1, 0, 80), 8],
    ['a name with a NUL in it', byName('good.example\0.evil', 443), 8],
  ])('refuses %s', async (_, request, code) => {
    const allow = ['good.example', 'gone.example', 'inside.example'];
    const { proxy, socket } = await proxyFor({ allow, lookup });
    const answer = await exchange(socket, Buffer.concat([greeting, request]));
    expect(answer.slice(0, 4)).toBe(`\u0005\u0000\u0005${String.fromCodePoint(code)}`);
    expect(proxy.events()).toHaveLength(1);
  });

  it('wants clients that need no password', async () => {
    const { socket } = await proxyFor({});
    expect(await exchange(socket, Buffer.of(5, 1, 2))).toBe('\u0005\u00ff');
  });
});

describe('startEgressProxy() is bounded', () => {
  it('ends who does not send a whole request in time, and lets nobody wait for them', async () => {
    const { socket } = await proxyFor({ allow: ['*'], timing: { headMs: 200 } });
    for (const begun of ['', 'GET http://a', '\u0005']) {
      const started = performance.now();
      await exchange(socket, begun);
      expect(performance.now() - started).toBeLessThan(5000);
    }
  });

  it('holds sixteen connections and drops the next', async () => {
    const { socket } = await proxyFor({ allow: ['*'] });
    const clients: Socket[] = [];
    for (let n = 0; n < 16; n += 1) {
      const client = connect(socket);
      client.on('error', () => undefined);
      await new Promise((resolve) => client.once('connect', resolve));
      clients.push(client);
    }
    expect(await exchange(socket, 'GET / HTTP/1.1\r\n\r\n')).toBe('');
    for (const client of clients) client.destroy();
  });

  it('keeps a bounded, harmless list of what was asked for', async () => {
    const { proxy, socket } = await proxyFor({});
    for (let n = 0; n < 70; n += 1) await exchange(socket, `CONNECT host${n}.example:443 HTTP/1.0\r\n\r\n`);
    await exchange(socket, `CONNECT \u001b[31m${'x'.repeat(300)}:1 HTTP/1.0\r\n\r\n`);
    expect(proxy.events()).toHaveLength(65);
    expect(proxy.events().at(-1)).toEqual({ kind: 'network_uncounted', count: 7 });
    expect(JSON.stringify(proxy.events())).not.toContain('\\u001b');
  });

  it('makes what a guest wrote harmless', async () => {
    const { proxy, socket } = await proxyFor({});
    await exchange(socket, 'GET /<b>"%1b[31m HTTP/1.1\r\nHost: x\r\n\r\n');
    expect(proxy.events()).toMatchObject([{ host: '??b???1b[31m' }]);
  });

  it('ends connections that have asked for nothing when it is closed', async () => {
    const { proxy, socket } = await proxyFor({});
    const client = connect(socket);
    const ended = new Promise((resolve) => client.once('close', resolve));
    await new Promise((resolve) => client.once('connect', resolve));
    // Answered after the first one was accepted.
    await exchange(socket, 'x\r\n\r\n');
    const started = performance.now();
    await proxy.close();
    await ended;
    expect(performance.now() - started).toBeLessThan(5000);
  });

  it('ends every connection when it is closed', async () => {
    const port = await echo();
    const { proxy, socket } = await proxyFor({ allow: [`127.0.0.1:${port}`] });
    const answer = await exchange(socket, `CONNECT 127.0.0.1:${port} HTTP/1.0\r\n\r\n`, () => void proxy.close());
    expect(answer).toContain('200');
  });

  it('listens on a port of 127.0.0.1 where a cell has no network of its own', async () => {
    const { proxy } = await proxyFor({ place: { port: 'any' } });
    expect(proxy.port).toBeGreaterThan(1023);
  });
});
