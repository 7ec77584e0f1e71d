import type { NetworkSettings } from '../recipe/network.ts';
import { DEFAULT_PORTS, parseAllowedHost, type AllowedHost } from '../recipe/network-host.ts';

/** Whether a run that `allowed` is for reaches with `wanted` nothing beyond it. */
export function isNetworkWithin(wanted: NetworkSettings, allowed: NetworkSettings): boolean {
  if (wanted === 'none') return true;
  if (allowed === 'none') return false;
  if (allowed.mode === 'host') return true;
  if (wanted.mode === 'host') return false;
  const known = allowed.allow.flatMap((text) => parseAllowedHost(text) ?? []);
  return wanted.allow.every((text) => {
    const entry = parseAllowedHost(text);
    return entry !== undefined && portsOf(entry).every((port) => known.some((other) => covers(other, entry, port)));
  });
}

function portsOf({ port }: AllowedHost): readonly number[] {
  return port === undefined ? DEFAULT_PORTS : [port];
}

/** An address is covered by itself alone: to name it is what makes a private one reachable. */
function covers(known: AllowedHost, { host }: AllowedHost, port: number): boolean {
  if (!portsOf(known).includes(port)) return false;
  const own = known.host;
  if (host.kind === 'address') return own.kind === 'address' && own.address === host.address;
  if (own.kind === 'everything') return true;
  if (host.kind === 'everything' || own.kind === 'address') return false;
  if (own.kind === 'below')
    return host.name.endsWith(`.${own.name}`) || (host.kind === 'below' && host.name === own.name);
  return host.kind === 'name' && host.name === own.name;
}
