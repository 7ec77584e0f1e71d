import { BlockList } from 'node:net';
import type { NetworkHost } from '../recipe/network-host.ts';

export type NetworkAddress = Extract<NetworkHost, { readonly kind: 'address' }>;

/** Source: IANA, "IPv4 Special-Purpose Address Registry"; multicast and class E by RFC 5771 and RFC 1112. */
const SPECIAL_IPV4: readonly (readonly [string, number])[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
];

/**
 * Everything but 2000::/3, the only addresses that are given out, and of that what carries IPv4 addresses or is set aside.
 * Source: IANA, "IPv6 Special-Purpose Address Registry" and "IPv6 Global Unicast Address Assignments".
 */
const SPECIAL_IPV6: readonly (readonly [string, number])[] = [
  ['::', 3],
  ['4000::', 2],
  ['8000::', 1],
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
];

// Two lists: in one, `::/3` would have every IPv4 address, as what it is inside an IPv6 one.
const IPV4 = new BlockList();
for (const [network, prefix] of SPECIAL_IPV4) IPV4.addSubnet(network, prefix, 'ipv4');
const IPV6 = new BlockList();
for (const [network, prefix] of SPECIAL_IPV6) IPV6.addSubnet(network, prefix, 'ipv6');

/** Whether an address is not of the public internet: of this machine, its network, its cloud's services, or of nobody. */
export function isSpecialAddress({ address, family }: NetworkAddress): boolean {
  return family === 4 ? IPV4.check(address, 'ipv4') : IPV6.check(address, 'ipv6');
}
