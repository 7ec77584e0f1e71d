import { identityOf } from './address-text.ts';

/** What a run may reach. */
export type NetworkSettings =
  /** Nothing. */
  | 'none'
  /** What this machine reaches. */
  | HostNetwork
  /** Allowed hosts, through a proxy of ours. */
  | ProxyNetwork;

export interface HostNetwork {
  readonly mode: 'host';
  /** What the program is told by its variables. */
  readonly proxies: ProxyAddresses;
}

export interface ProxyNetwork {
  readonly mode: 'proxy';
  /** Entries as `allowedHostText` writes them, in byte order. */
  readonly allow: readonly string[];
}

/** Addresses may have `${VARIABLES}` of the caller of a run in them, and have no user and password but by these. */
export interface ProxyAddresses {
  readonly http?: string;
  readonly https?: string;
  readonly socks5?: string;
  /** Hosts that are reached without a proxy. */
  readonly noProxy?: readonly string[];
}

export type NetworkMode = 'none' | 'host' | 'proxy';

export const NETWORK_MODES: readonly NetworkMode[] = ['none', 'proxy', 'host'];

export function networkMode(network: NetworkSettings): NetworkMode {
  return network === 'none' ? network : network.mode;
}

/** For people. */
export function networkText(network: NetworkSettings): string {
  if (network === 'none') return 'none';
  if (network.mode === 'proxy') return `proxy: ${network.allow.join(', ') || 'no host is allowed'}`;
  const { http, https, socks5, noProxy } = network.proxies;
  const words = Object.entries({ http, https, socks5 }).flatMap(([name, address]) =>
    address === undefined ? [] : [`${name} ${identityOf(address)}`],
  );
  if (noProxy !== undefined) words.push(`no_proxy ${noProxy.join(',')}`);
  return words.length === 0 ? 'host' : `host: ${words.join(', ')}`;
}
