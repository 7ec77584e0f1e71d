import { DEFAULT_PORTS, type AllowedHost, type NetworkHost } from '../recipe/network-host.ts';
import { isSpecialAddress, type NetworkAddress } from './special-addresses.ts';

/** Why a program was not connected with what it asked for. */
export type RefusalReason =
  /** No entry of the list is for this host. */
  | 'host_not_allowed'
  /** The host is allowed, this port of it is not. */
  | 'port_not_allowed'
  /** All its addresses are of this machine, of its own network, or of nobody. */
  | 'private_address'
  | 'unknown_host'
  /** It is no request that may be passed on. */
  | 'bad_request';

/** Whether the list has the host and the port; says nothing about addresses. */
export function judgeTarget(
  rules: readonly AllowedHost[],
  host: NetworkHost,
  port: number,
): 'host_not_allowed' | 'port_not_allowed' | undefined {
  const fitting = rules.filter((rule) => isFor(rule, host));
  if (fitting.length === 0) return 'host_not_allowed';
  return fitting.some((rule) => hasPort(rule, port)) ? undefined : 'port_not_allowed';
}

/** Addresses that are not public may be connected with only where the list has them as they are. */
export function mayConnect(rules: readonly AllowedHost[], address: NetworkAddress, port: number): boolean {
  if (!isSpecialAddress(address)) return true;
  return rules.some(
    (rule) => rule.host.kind === 'address' && rule.host.address === address.address && hasPort(rule, port),
  );
}

function isFor({ host: rule }: AllowedHost, host: NetworkHost): boolean {
  switch (rule.kind) {
    case 'everything':
      return true;
    case 'below':
      return host.kind === 'name' && host.name.endsWith(`.${rule.name}`);
    case 'name':
      return host.kind === 'name' && host.name === rule.name;
    case 'address':
      return host.kind === 'address' && host.address === rule.address;
  }
}

function hasPort(rule: AllowedHost, port: number): boolean {
  return rule.port === undefined ? DEFAULT_PORTS.includes(port) : rule.port === port;
}
