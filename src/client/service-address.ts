import { RootcellarError } from '../base/rootcellar-error.ts';

/** Where the service at `url` runs programs; it may stand below a path of its host. Throws E_USAGE. */
export function runAddress(url: string | URL): URL {
  const hint = 'connect({ url: "http://127.0.0.1:8194", key: … })';
  if (!/^https?:\/\//i.test(String(url)) || !URL.canParse(String(url))) {
    throw new RootcellarError('E_USAGE', '`url`: is not an address that begins with http:// or https://', { hint });
  }
  const base = new URL(url);
  // It would be part of every message that names the address.
  if (base.username !== '' || base.password !== '') {
    throw new RootcellarError('E_USAGE', '`url`: has a user or a password in it', { hint });
  }
  base.pathname = `${base.pathname.replace(/\/$/, '')}/v1/run`;
  base.search = '';
  base.hash = '';
  return base;
}

/** Throws E_USAGE, without the value, for what cannot stand in a header. */
export function checkHeader(name: string, value: string | undefined): void {
  if (value === undefined || /^[!-~](?:[ -~]*[!-~])?$/.test(value)) return;
  throw new RootcellarError('E_USAGE', `\`${name}\`: is empty, or has characters that no header can have`, {
    hint: 'look for a line break at its end',
  });
}
