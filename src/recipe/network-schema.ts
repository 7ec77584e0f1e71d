import { z } from 'zod';
import { byteOrder } from '../base/byte-order.ts';
import {
  NETWORK_MODES,
  type HostNetwork,
  type NetworkMode,
  type NetworkSettings,
  type ProxyNetwork,
} from './network.ts';
import { allowedHostText, parseAllowedHost } from './network-host.ts';
import { quotedValue } from './quoted-value.ts';
import { choice, leaf, word, type Parsed } from './recipe-values.ts';

const EXAMPLE = 'write for example `{ proxy: { allow: [pypi.org, "*.example.com", "10.0.0.5:8080"] } }`';

/** `none`, `proxy`, `host`, or a map with settings of one of the last two. */
export function networkSchema(): z.ZodType<NetworkSettings> {
  const settings = z
    .strictObject({ proxy: proxySchema().optional(), host: hostSchema().optional() })
    .transform(({ proxy, host }, context): NetworkSettings => {
      if (proxy !== undefined && host === undefined) return proxy;
      if (host !== undefined && proxy === undefined) return host;
      const message = 'must have exactly one of `proxy` and `host`';
      context.issues.push({ code: 'custom', input: {}, message, params: { hint: EXAMPLE } });
      return z.NEVER;
    });
  return z.union([settings, choice(NETWORK_MODES, 'What a run may reach.').transform(plainNetwork)]);
}

/** A network of which only the mode is said. */
export function plainNetwork(mode: NetworkMode): NetworkSettings {
  if (mode === 'none') return mode;
  return mode === 'host' ? { mode, proxies: {} } : { mode, allow: [] };
}

function proxySchema(): z.ZodType<ProxyNetwork> {
  return z
    .strictObject({ allow: z.array(allowedHost()).min(1).meta({ description: 'Hosts that a run may reach.' }) })
    .transform(({ allow }): ProxyNetwork => ({ mode: 'proxy', allow: allow.toSorted(byteOrder) }));
}

function hostSchema(): z.ZodType<HostNetwork> {
  return z
    .strictObject({
      http: proxyAddress('http').optional(),
      https: proxyAddress('https').optional(),
      socks5: proxyAddress('socks5').optional(),
      no_proxy: z
        .array(
          word({
            pattern: /^[\u0021-\u002b\u002d-\u007e]{1,255}$/,
            expected: 'a host, without commas and blanks',
            example: 'localhost',
            description: 'Host that is reached without a proxy.',
          }),
        )
        .min(1)
        .optional(),
    })
    .transform(({ no_proxy: noProxy, ...proxies }): HostNetwork => {
      return { mode: 'host', proxies: { ...present(proxies), ...(noProxy === undefined ? {} : { noProxy }) } };
    });
}

type Addresses = Readonly<Partial<Record<'http' | 'https' | 'socks5', string | undefined>>>;

function present({ http, https, socks5 }: Addresses): Readonly<Partial<Record<keyof Addresses, string>>> {
  return {
    ...(http === undefined ? {} : { http }),
    ...(https === undefined ? {} : { https }),
    ...(socks5 === undefined ? {} : { socks5 }),
  };
}

function allowedHost(): z.ZodType<string> {
  const description = 'HOST, HOST:PORT, *.HOST or an address; ports 80 and 443 when none is given.';
  return leaf(readAllowedHost, { type: 'string', minLength: 1, description });
}

/** In the one spelling that it has. */
export function readAllowedHost(input: unknown): Parsed<string> {
  const allowed = typeof input === 'string' ? parseAllowedHost(input) : undefined;
  if (allowed !== undefined) return { value: allowedHostText(allowed) };
  return {
    fault: `must be a host, with or without a port, got ${quotedValue(input)}`,
    hint: 'write for example `pypi.org`, `"*.example.com"`, `"api.example.com:8443"` or `"[2001:db8::1]:443"`',
  };
}

/** Of a proxy: no error text repeats it, since a password may have been put into it. */
function proxyAddress(kind: 'http' | 'https' | 'socks5'): z.ZodType<string> {
  const example = kind === 'socks5' ? 'socks5://proxy.example:1080' : 'http://${USER}:${PASSWORD}@proxy.example:3128';
  const hint = `write for example \`${example}\`, or \`\${NAME}\` for a variable of whoever starts a run`;
  const parse = (input: unknown): Parsed<string> => {
    if (typeof input !== 'string' || !isProxyAddress(input, kind))
      return { fault: 'must be the address of a proxy', hint };
    if (!hasSecret(input)) return { value: input };
    return { fault: 'has a user or password in it, which images and lockfiles must not have', hint };
  };
  return leaf(parse, {
    type: 'string',
    minLength: 1,
    description: 'Address of a proxy; `${NAME}` is filled in at each run.',
  });
}

const WHOLE_VARIABLE = /^\$\{[A-Z0-9_]+\}$/;
const VARIABLE = /\$\{[A-Z0-9_]+\}/g;

/** As it is, or with whatever its variables stand for. */
export function isProxyAddress(text: string, kind: 'http' | 'https' | 'socks5'): boolean {
  if (WHOLE_VARIABLE.test(text)) return true;
  const scheme = kind === 'socks5' ? /^socks5h?:\/\/[\u0021-\u007e]+$/ : /^https?:\/\/[\u0021-\u007e]+$/;
  if (text.length > 2048 || !scheme.test(text)) return false;
  return URL.canParse(text.replaceAll(VARIABLE, 'x')) && !/[?#]/.test(text);
}

/** Whether there is anything but variables before the `@`. */
function hasSecret(text: string): boolean {
  const user = /^[a-z0-9]+:\/\/([^/]*)@/i.exec(text)?.[1];
  return user !== undefined && user.replaceAll(VARIABLE, '').replace(':', '') !== '';
}
