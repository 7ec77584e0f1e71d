import { connect, type Socket } from 'node:net';
import { hostText, parseAddress, type AllowedHost, type NetworkHost } from '../recipe/network-host.ts';
import type { EgressLog } from './egress-log.ts';
import { judgeTarget, mayConnect, type RefusalReason } from './egress-rules.ts';
import type { NetworkAddress } from './special-addresses.ts';

/** The addresses of a name; none for a name that there is not. Rejects when that cannot be known. */
export type Lookup = (name: string) => Promise<readonly string[]>;

/** What all connections of one proxy go by. */
export interface Egress {
  readonly rules: readonly AllowedHost[];
  readonly lookup: Lookup;
  readonly log: EgressLog;
  readonly timing: EgressTiming;
  /** Every socket that is open, so that the end of the proxy is the end of them all. */
  readonly sockets: Set<Socket>;
}

export interface EgressTiming {
  /** For a whole request head or SOCKS greeting. */
  readonly headMs: number;
  readonly connectMs: number;
  /** Without a byte in either direction. */
  readonly idleMs: number;
}

export interface Target {
  readonly host: NetworkHost;
  readonly port: number;
}

export type Connection =
  | { readonly kind: 'connected'; readonly socket: Socket; readonly address: NetworkAddress }
  | { readonly kind: 'refused'; readonly reason: RefusalReason }
  | { readonly kind: 'failed' };

/** Bounds the time that a name with many dead addresses takes. */
const MOST_ADDRESSES = 4;

/**
 * Connects with an allowed target. A name is resolved here and only once: the connection goes to an address that was
 * judged, so that no second answer of a name server counts. Every refusal is in the log.
 */
export async function connectTarget({ host, port }: Target, egress: Egress): Promise<Connection> {
  const { rules, log } = egress;
  const told = { host: hostText(host), port };
  const refuse = (reason: RefusalReason): Connection => {
    log.refused(told, reason);
    return { kind: 'refused', reason };
  };
  const fault = judgeTarget(rules, host, port);
  if (fault !== undefined) return refuse(fault);
  const addresses = await addressesOf(host, egress.lookup);
  if (addresses.length === 0) return refuse('unknown_host');
  const allowed = addresses.filter((address) => mayConnect(rules, address, port));
  if (allowed.length === 0) return refuse('private_address');
  log.contacted(told);
  for (const address of allowed.slice(0, MOST_ADDRESSES)) {
    const socket = await connected(address, port, egress);
    if (socket !== undefined) return { kind: 'connected', socket, address };
  }
  return { kind: 'failed' };
}

async function addressesOf(host: NetworkHost, lookup: Lookup): Promise<readonly NetworkAddress[]> {
  if (host.kind === 'address') return [host];
  const found = await lookup(host.name).catch(() => []);
  return found.flatMap((text) => {
    const address = parseAddress(text);
    return address?.kind === 'address' ? [address] : [];
  });
}

/** Undefined when nobody answers. */
function connected({ address, family }: NetworkAddress, port: number, egress: Egress): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port, family, allowHalfOpen: true, timeout: egress.timing.connectMs });
    keepOpen(socket, egress);
    const fail = (): void => {
      socket.destroy();
      resolve(undefined);
    };
    socket.on('error', fail).once('timeout', fail);
    socket.once('connect', () => {
      // From here on, whoever gets it hears of its errors; an unheard one would end this process.
      socket.off('timeout', fail).setTimeout(egress.timing.idleMs, () => socket.destroy());
      resolve(socket);
    });
  });
}

/** Notes a socket for as long as it is open. */
export function keepOpen(socket: Socket, { sockets }: Pick<Egress, 'sockets'>): void {
  sockets.add(socket);
  socket.once('close', () => sockets.delete(socket));
}

/** Passes bytes both ways until both sides have ended, one has failed, or both are idle. */
export function joinSockets(client: Socket, server: Socket, { idleMs }: EgressTiming): void {
  const end = (): void => {
    client.destroy();
    server.destroy();
  };
  for (const socket of [client, server]) {
    socket.setTimeout(idleMs, end);
    socket.on('error', end);
  }
  // What the closed side has sent still arrives; nobody is left to take what could come back.
  client.on('close', () => server.destroySoon());
  server.on('close', () => client.destroySoon());
  client.pipe(server);
  server.pipe(client);
}
