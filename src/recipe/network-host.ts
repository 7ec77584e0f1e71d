/** Whom a program may be connected with, by name or by address. */
export type NetworkHost =
  /** In lower case, ASCII, without a dot at its end. */
  | { readonly kind: 'name'; readonly name: string }
  /** In its usual spelling; an IPv4 address inside an IPv6 one is the IPv4 address. */
  | { readonly kind: 'address'; readonly address: string; readonly family: 4 | 6 };

/** One entry of a list of allowed hosts. */
export interface AllowedHost {
  /** `everything`: any host that has a public address. `below`: every name that ends in `.name`, but not that name. */
  readonly host: NetworkHost | { readonly kind: 'everything' } | { readonly kind: 'below'; readonly name: string };
  /** Undefined: `DEFAULT_PORTS`. */
  readonly port: number | undefined;
}

export const DEFAULT_PORTS: readonly number[] = [80, 443];

const LONGEST_NAME = 253;

/**
 * Reads a host as it stands in addresses, IPv6 in brackets. All spellings of one address give the same: `0x7f.1`,
 * `2130706433` and `[::ffff:127.0.0.1]` are 127.0.0.1. Undefined for what is no host. Source: WHATWG URL, "host parsing".
 */
export function parseHost(text: string): NetworkHost | undefined {
  const address = `http://${text}/`;
  if (!/^[^\s/@?#:\\%]+$|^\[[0-9A-Fa-f:.]+\]$/.test(text) || text.length > LONGEST_NAME || !URL.canParse(address))
    return undefined;
  const host = new URL(address).hostname.replace(/\.$/, '');
  if (host.startsWith('[')) return addressOf(host.slice(1, -1));
  if (/^\d+\.\d+\.\d+\.\d+$/.test(host)) return { kind: 'address', address: host, family: 4 };
  return /^[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/.test(host) ? { kind: 'name', name: host } : undefined;
}

/** The same for an address without brackets, such as resolvers give. */
export function parseAddress(text: string): NetworkHost | undefined {
  const host = parseHost(text.includes(':') ? `[${text}]` : text);
  return host?.kind === 'address' ? host : undefined;
}

/** `[::ffff:7f00:1]` is how every IPv4 address inside an IPv6 one comes out of a URL. RFC 4291, 2.5.5.2. */
function addressOf(ipv6: string): NetworkHost {
  const [, high, low] = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(ipv6) ?? [];
  if (high === undefined || low === undefined) return { kind: 'address', address: ipv6, family: 6 };
  const bytes = [high, low].flatMap((group) => {
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
  return { kind: 'address', address: bytes.join('.'), family: 4 };
}

/** `NAME`, `*.NAME`, an address or `*`, and `:PORT` behind it where it is not for HTTP(S) alone. */
export function parseAllowedHost(text: string): AllowedHost | undefined {
  const [, name = '', digits] = /^(.+?)(?::(\d{1,5}))?$/.exec(text) ?? [];
  const port = digits === undefined ? undefined : Number(digits);
  if (port !== undefined && (port < 1 || port > 65_535)) return undefined;
  if (name === '*') return { host: { kind: 'everything' }, port };
  const isBelow = name.startsWith('*.');
  const host = parseHost(isBelow ? name.slice(2) : name);
  if (host === undefined) return undefined;
  if (!isBelow) return { host, port };
  return host.kind === 'name' ? { host: { kind: 'below', name: host.name }, port } : undefined;
}

/** One spelling for each entry: `parseAllowedHost` reads it again. */
export function allowedHostText({ host, port }: AllowedHost): string {
  const suffix = port === undefined ? '' : `:${port}`;
  switch (host.kind) {
    case 'everything':
      return `*${suffix}`;
    case 'below':
      return `*.${host.name}${suffix}`;
    case 'name':
    case 'address':
      return `${hostText(host)}${suffix}`;
  }
}

/** As it stands in addresses. */
export function hostText(host: NetworkHost): string {
  if (host.kind === 'name') return host.name;
  return host.family === 6 ? `[${host.address}]` : host.address;
}
