import type { Socket } from 'node:net';
import { parseAddress, parseHost, type NetworkHost } from '../recipe/network-host.ts';
import { connectTarget, joinSockets, type Connection, type Egress, type Target } from './egress-connect.ts';

/** RFC 1928. */
const VERSION = 5;
const NO_AUTHENTICATION = 0;
const NO_METHOD = 0xff;
const CONNECT = 1;
const ADDRESS_KINDS = { ipv4: 1, name: 3, ipv6: 4 } as const;
const REPLY = { succeeded: 0, failure: 1, notAllowed: 2, hostUnreachable: 4, badCommand: 7, badAddress: 8 } as const;
/** Of a greeting (2 + 255 methods) and of a request (6 + 256 bytes of a name). */
const LONGEST_MESSAGE = 512;

/**
 * The SOCKS5 side of a cell's proxy: `CONNECT` without authentication. Takes a socket whose first byte is still to be read; calls
 * `inTime` when it has read the request.
 */
export async function serveSocks(socket: Socket, egress: Egress, inTime: () => void): Promise<void> {
  const reader = messageReader(socket);
  const methods = await reader(greetingLength);
  if (methods === undefined) return void socket.destroy();
  if (!methods.subarray(2).includes(NO_AUTHENTICATION)) return void socket.end(Buffer.of(VERSION, NO_METHOD));
  socket.write(Buffer.of(VERSION, NO_AUTHENTICATION));
  const request = await reader(requestLength);
  if (request === undefined) return refuse(socket, REPLY.badAddress, egress);
  if (request[1] !== CONNECT) return refuse(socket, REPLY.badCommand, egress);
  const target = targetOf(request);
  if (target === undefined) return refuse(socket, REPLY.badAddress, egress);
  inTime();
  const connection = await connectTarget(target, egress);
  if (connection.kind !== 'connected') return void socket.end(reply(codeOf(connection)));
  socket.write(reply(REPLY.succeeded));
  joinSockets(socket, connection.socket, egress.timing);
}

/** What is no request that could have a host. */
function refuse(socket: Socket, code: number, { log }: Egress): void {
  log.refused({ host: '', port: 0 }, 'bad_request');
  socket.end(reply(code));
}

function codeOf(connection: Exclude<Connection, { readonly kind: 'connected' }>): number {
  if (connection.kind === 'failed') return REPLY.failure;
  return connection.reason === 'unknown_host' ? REPLY.hostUnreachable : REPLY.notAllowed;
}

/** The bound address is nobody's business in there. */
function reply(code: number): Buffer {
  return Buffer.of(VERSION, code, 0, ADDRESS_KINDS.ipv4, 0, 0, 0, 0, 0, 0);
}

/** How long a message is, judged by its beginning; undefined: more of it is needed; 0: it is none. */
type MessageLength = (begun: Buffer) => number | undefined;

function greetingLength([version, methods]: Buffer): number | undefined {
  if (version !== undefined && version !== VERSION) return 0;
  return methods === undefined ? undefined : 2 + methods;
}

function requestLength([version, , reserved, kind, first]: Buffer): number | undefined {
  if ((version !== undefined && version !== VERSION) || (reserved !== undefined && reserved !== 0)) return 0;
  if (kind === undefined) return undefined;
  if (kind === ADDRESS_KINDS.ipv4) return 10;
  if (kind === ADDRESS_KINDS.ipv6) return 22;
  if (kind !== ADDRESS_KINDS.name) return 0;
  return first === undefined ? undefined : 7 + first;
}

function targetOf(request: Buffer): Target | undefined {
  const host = hostOf(request.subarray(3, -2));
  const port = request.readUInt16BE(request.length - 2);
  return host === undefined || port === 0 ? undefined : { host, port };
}

function hostOf(bytes: Buffer): NetworkHost | undefined {
  const [kind] = bytes;
  if (kind === ADDRESS_KINDS.ipv4) return parseAddress(bytes.subarray(1).join('.'));
  if (kind === ADDRESS_KINDS.name) return parseHost(bytes.subarray(2).toString('latin1'));
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(1 + 2 * index).toString(16));
  return parseAddress(groups.join(':'));
}

/** Reads one message after the other, and leaves in the socket what follows. Undefined for what is none. */
function messageReader(socket: Socket): (lengthOf: MessageLength) => Promise<Buffer | undefined> {
  let begun = Buffer.alloc(0);
  return async (lengthOf) => {
    for (;;) {
      const length = lengthOf(begun);
      if (length === 0 || begun.length > LONGEST_MESSAGE) return undefined;
      if (length !== undefined && begun.length >= length) {
        const message = begun.subarray(0, length);
        const rest = begun.subarray(length);
        begun = Buffer.alloc(0);
        if (rest.length > 0) socket.unshift(rest);
        return message;
      }
      const more = await nextBytes(socket);
      if (more === undefined) return undefined;
      begun = Buffer.concat([begun, more]);
    }
  };
}

/** Undefined when there are no more. */
function nextBytes(socket: Socket): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const settle = (): void => {
      const bytes: unknown = socket.read();
      if (bytes === null && !socket.readableEnded && !socket.destroyed) return;
      for (const name of ['readable', 'end', 'close'] as const) socket.off(name, settle);
      resolve(Buffer.isBuffer(bytes) ? bytes : undefined);
    };
    for (const name of ['readable', 'end', 'close'] as const) socket.on(name, settle);
    settle();
  });
}
