import { chmod, mkdir, rm } from 'node:fs/promises';
import type { IncomingMessage, Server as HttpServer } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { keepOpen, type Egress, type EgressTiming, type Lookup } from './egress-connect.ts';
import { httpEgress } from './egress-http.ts';
import { egressLog } from './egress-log.ts';
import { serveSocks } from './egress-socks.ts';
import { parseAllowedHost } from '../recipe/network-host.ts';
import type { RunEvent } from './run-report.ts';

export interface EgressRequest {
  /** As a recipe has them. */
  readonly allow: readonly string[];
  /** Where it listens: a socket in a folder of its own, which is made, and removed at the end; or a port of 127.0.0.1. */
  readonly place: { readonly socket: string } | { readonly port: 'any' };
  readonly lookup: Lookup;
  readonly timing?: Partial<EgressTiming> | undefined;
}

/** The one way out of a cell: holds sockets until it is closed. */
export interface EgressProxy {
  /** The port of 127.0.0.1; undefined for a socket of a path. */
  readonly port: number | undefined;
  /** What was asked for so far. */
  events(): readonly RunEvent[];
  /** Ends every connection; nothing of the proxy is left when it settles. */
  close(): Promise<void>;
}

/** As many as the keeper has room for; native/bridge.h. */
const MOST_CONNECTIONS = 16;
const TIMING: EgressTiming = { headMs: 10_000, connectMs: 10_000, idleMs: 60_000 };
/** A client of SOCKS5 begins with its version, one of HTTP with a letter. */
const SOCKS_VERSION = 5;

/** Lets a program reach the allowed hosts by HTTP, CONNECT and SOCKS5, and nothing else. */
export async function startEgressProxy(request: EgressRequest): Promise<EgressProxy> {
  const log = egressLog();
  const egress: Egress = {
    rules: request.allow.map(knownHost),
    lookup: request.lookup,
    log,
    timing: { ...TIMING, ...request.timing },
    sockets: new Set(),
  };
  const http = httpEgress(egress);
  const heads: Heads = new WeakMap();
  const inTime = (message: IncomingMessage): void => clearTimeout(heads.get(message.socket));
  http.on('request', inTime).on('connect', inTime);
  const server = createServer({ allowHalfOpen: true });
  server.maxConnections = MOST_CONNECTIONS;
  server.on('connection', (socket) => {
    keepOpen(socket, egress);
    welcome(socket, heads, { http, egress });
  });
  await listen(server, request.place);
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : undefined,
    events: () => log.events(),
    close: async () => {
      const closed = new Promise<void>((resolve) => void server.close(() => resolve()));
      for (const socket of egress.sockets) socket.destroy();
      await closed;
      if ('socket' in request.place) await rm(dirname(request.place.socket), { recursive: true, force: true });
    },
  };
}

function knownHost(text: string): Egress['rules'][number] {
  const allowed = parseAllowedHost(text);
  if (allowed === undefined) throw new Error(`unreachable: ${JSON.stringify(text)} was checked`);
  return allowed;
}

async function listen(server: Server, place: EgressRequest['place']): Promise<void> {
  if ('socket' in place) await mkdir(dirname(place.socket), { recursive: true, mode: 0o700 });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen('socket' in place ? { path: place.socket } : { host: '127.0.0.1', port: 0 }, resolve);
  });
  if ('socket' in place) await chmod(place.socket, 0o600);
}

/** What ends a connection whose first request is not there in time. */
type Heads = WeakMap<Socket, NodeJS.Timeout>;

interface Speakers {
  readonly http: HttpServer;
  readonly egress: Egress;
}

/** Waits for the first byte, which tells what the client speaks. */
function welcome(socket: Socket, heads: Heads, { http, egress }: Speakers): void {
  socket.on('error', () => socket.destroy());
  const late = setTimeout(() => socket.destroy(), egress.timing.headMs);
  heads.set(socket, late);
  socket.once('close', () => clearTimeout(late));
  socket.setTimeout(egress.timing.idleMs, () => socket.destroy());
  socket.once('readable', () => {
    const first: unknown = socket.read(1);
    if (!Buffer.isBuffer(first)) return void socket.destroy();
    socket.unshift(first);
    if (first[0] === SOCKS_VERSION) return void serveSocks(socket, egress, () => clearTimeout(late));
    http.emit('connection', socket);
  });
}
