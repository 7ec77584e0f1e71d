import {
  createServer,
  request as startRequest,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { Duplex } from 'node:stream';
import { Socket } from 'node:net';
import { parseHost } from '../recipe/network-host.ts';
import { connectTarget, joinSockets, type Egress, type Target } from './egress-connect.ts';
import type { RefusalReason } from './egress-rules.ts';

/** Of a request's head, in bytes. */
const LONGEST_HEAD = 16_384;
const MOST_HEADERS = 100;

/** What a person in the cell reads. */
const REASON_TEXTS: Readonly<Record<RefusalReason, string>> = {
  host_not_allowed: 'this host is not allowed',
  port_not_allowed: 'this port of the host is not allowed',
  private_address: 'its address is not one of the public internet',
  unknown_host: 'there is no host of this name',
  bad_request: 'this is no request that a proxy can pass on',
};

/**
 * The HTTP side of a cell's proxy: `CONNECT`, and requests in absolute form for http. It does not listen: sockets are given
 * to it as `connection` events. One request a connection, so that what follows one can never be taken for another.
 * Node's parser refuses what can be read in two ways (two lengths, a length and chunks, folded lines): RFC 9112, 11.2.
 */
export function httpEgress(egress: Egress): Server {
  const server = createServer({ maxHeaderSize: LONGEST_HEAD, insecureHTTPParser: false, keepAlive: false });
  server.maxHeadersCount = MOST_HEADERS;
  server.maxRequestsPerSocket = 1;
  server.on('request', (request, response) => void forward(request, response, egress));
  server.on('connect', (request, socket, head) => void tunnel({ request, socket, head }, egress));
  server.on('clientError', (error, socket) => {
    if (!('code' in error) || error.code !== 'ECONNRESET') egress.log.refused(NO_TARGET, 'bad_request');
    answerRaw(socket, 400, REASON_TEXTS.bad_request);
  });
  return server;
}

const NO_TARGET = { host: '', port: 0 };

interface TunnelRequest {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
}

async function tunnel({ request, socket, head }: TunnelRequest, egress: Egress): Promise<void> {
  socket.on('error', () => socket.destroy());
  const target = connectTargetOf(request);
  if (target === undefined || !(socket instanceof Socket)) {
    egress.log.refused({ host: request.url ?? '', port: 0 }, 'bad_request');
    answerRaw(socket, 400, REASON_TEXTS.bad_request);
    return;
  }
  const connection = await connectTarget(target, egress);
  if (connection.kind === 'refused') {
    answerRaw(socket, 403, REASON_TEXTS[connection.reason]);
    return;
  }
  if (connection.kind === 'failed') {
    answerRaw(socket, 502, 'the host does not answer');
    return;
  }
  socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
  if (head.length > 0) socket.unshift(head);
  joinSockets(socket, connection.socket, egress.timing);
}

/** `HOST:PORT`, which a Host header must repeat; HTTP/1.0 clients send none. */
function connectTargetOf(request: IncomingMessage): Target | undefined {
  const target = readAuthority(request.url ?? '');
  const hosts = headerValues(request, 'host');
  if (target?.port === undefined || hosts.length > 1 || hasBody(request)) return undefined;
  const named = hosts[0] === undefined ? undefined : readAuthority(hosts[0]);
  if (hosts.length === 1 && !isSameHost(target, named, target.port)) return undefined;
  return { host: target.host, port: target.port };
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0';
}

interface Authority {
  readonly host: Target['host'];
  readonly port: number | undefined;
}

function readAuthority(text: string): Authority | undefined {
  const [, name = '', digits] = /^(.*?)(?::(\d{1,5}))?$/.exec(text) ?? [];
  const host = parseHost(name);
  const port = digits === undefined ? undefined : Number(digits);
  if (host === undefined || (port !== undefined && (port < 1 || port > 65_535))) return undefined;
  return { host, port };
}

function isSameHost(target: Authority, named: Authority | undefined, defaultPort: number): boolean {
  return (
    named !== undefined &&
    JSON.stringify(named.host) === JSON.stringify(target.host) &&
    (named.port ?? defaultPort) === target.port
  );
}

async function forward(request: IncomingMessage, response: ServerResponse, egress: Egress): Promise<void> {
  response.on('error', () => response.destroy());
  request.on('error', () => response.destroy());
  const target = forwardTargetOf(request);
  if (target === undefined) {
    egress.log.refused({ host: request.url ?? '', port: 0 }, 'bad_request');
    answer(response, 400, REASON_TEXTS.bad_request);
    return;
  }
  const connection = await connectTarget(target, egress);
  if (connection.kind === 'refused') answer(response, 403, REASON_TEXTS[connection.reason]);
  else if (connection.kind === 'failed') answer(response, 502, 'the host does not answer');
  else passOn(request, response, { ...target, socket: connection.socket });
}

interface ForwardTarget extends Target {
  readonly path: string;
  /** For the Host header. */
  readonly authority: string;
}

/** `http://HOST[:PORT]/…`, with one Host header that says the same. Source: RFC 9112, 3.2.2. */
function forwardTargetOf(request: IncomingMessage): ForwardTarget | undefined {
  const text = request.url ?? '';
  if (!/^http:\/\/[^/]/i.test(text) || !URL.canParse(text)) return undefined;
  const url = new URL(text);
  const [, written = ''] = /^http:\/\/([^/?#]*)/i.exec(text) ?? [];
  const target = readAuthority(written);
  const hosts = headerValues(request, 'host');
  if (target === undefined || hosts.length > 1) return undefined;
  const port = target.port ?? 80;
  const named = hosts[0] === undefined ? undefined : readAuthority(hosts[0]);
  const isOld = request.httpVersion === '1.0' && hosts.length === 0;
  if (!isOld && !isSameHost({ host: target.host, port }, named, 80)) return undefined;
  return { host: target.host, port, path: `${url.pathname}${url.search}`, authority: url.host };
}

/** As they came, since Node's own map drops all but the first of some. */
function headerValues({ rawHeaders }: IncomingMessage, name: string): readonly string[] {
  return rawHeaders.flatMap((value, index) =>
    index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === name ? [value] : [],
  );
}

function passOn(
  request: IncomingMessage,
  response: ServerResponse,
  { socket, path, authority }: ForwardTarget & { readonly socket: Socket },
): void {
  const isChunked = request.headers['transfer-encoding'] !== undefined;
  const own = ['Host', authority, 'Connection', 'close', ...(isChunked ? ['Transfer-Encoding', 'chunked'] : [])];
  const outgoing = startRequest({
    createConnection: () => socket,
    method: request.method ?? 'GET',
    path,
    headers: [...own, ...endToEnd(request.rawHeaders, ['host'])],
    setHost: false,
    maxHeaderSize: LONGEST_HEAD,
  });
  const fail = (): void => {
    outgoing.destroy();
    socket.destroy();
    if (response.headersSent) response.destroy();
    else answer(response, 502, 'the host gave no answer that can be passed on');
  };
  outgoing.on('error', fail);
  outgoing.on('upgrade', fail);
  outgoing.on('response', (incoming) => {
    incoming.on('error', () => response.destroy());
    const headers = [...endToEnd(incoming.rawHeaders, []), 'Connection', 'close'];
    // The reason phrase is the server's, and may be what Node does not write: ours is in its place.
    response.writeHead(Math.max(200, incoming.statusCode ?? 502), headers);
    incoming.pipe(response);
  });
  response.on('close', () => {
    outgoing.destroy();
    socket.destroy();
  });
  request.pipe(outgoing);
}

/** Source: RFC 9110, 7.6.1, and what clients invented for proxies. */
const HOP_BY_HOP: readonly string[] = [
  'connection',
  'expect',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
];

/** Without what is for the next machine only, and without what the `Connection` header names. */
function endToEnd(rawHeaders: readonly string[], besides: readonly string[]): readonly string[] {
  const pairs = Array.from({ length: rawHeaders.length / 2 }, (_, index) => rawHeaders.slice(2 * index, 2 * index + 2));
  const connection = pairs.flatMap(([name, value = '']) =>
    name?.toLowerCase() === 'connection' ? value.split(',').map((word) => word.trim().toLowerCase()) : [],
  );
  const dropped = new Set([...HOP_BY_HOP, ...besides, ...connection.filter((word) => word !== 'content-length')]);
  return pairs.filter(([name = '']) => !dropped.has(name.toLowerCase())).flat();
}

function answer(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, [...answerHeaders(text)]);
  response.end(`rootcellar: ${text}\n`);
}

function answerHeaders(text: string): readonly string[] {
  const length = Buffer.byteLength(`rootcellar: ${text}\n`);
  return ['Content-Type', 'text/plain; charset=utf-8', 'Content-Length', `${length}`, 'Connection', 'close'];
}

const STATUS_WORDS: Readonly<Record<number, string>> = { 400: 'Bad Request', 403: 'Forbidden', 502: 'Bad Gateway' };

function answerRaw(socket: Duplex, status: 400 | 403 | 502, text: string): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const pairs = answerHeaders(text);
  const lines = pairs.flatMap((value, index) => (index % 2 === 1 ? [`${pairs[index - 1]}: ${value}\r\n`] : []));
  const head = `HTTP/1.1 ${status} ${STATUS_WORDS[status]}\r\n${lines.join('')}\r\n`;
  socket.end(`${head}rootcellar: ${text}\n`, () => socket.destroy());
}
