import { digestOf } from '../base/digest.ts';

/** pip's form of a variable in a requirements file: capitals, digits and underscores only. */
const VARIABLE = /\$\{([A-Z0-9_]+)\}/g;

/** Whether a text is an address that a package or index can be at, as it is or with its `${VARIABLES}` filled in. */
export function isAddress(text: string): boolean {
  if (text.length > 2048 || !/^(?:https?|file):\/\/[\u0021-\u007e]+$/i.test(text)) return false;
  return URL.canParse(text.replaceAll(VARIABLE, 'x'));
}

/** Fills in variables; `missing` names those that are not set. Source: pip's "Requirements File Format", "Using environment variables". */
export function fillAddress(
  text: string,
  environment: Readonly<Record<string, string | undefined>>,
): { readonly text: string; readonly missing: readonly string[] } {
  const missing: string[] = [];
  const filled = text.replaceAll(VARIABLE, (whole, name: string) => {
    const value = environment[name] ?? '';
    if (value === '') missing.push(name);
    return value === '' ? whole : value;
  });
  return { text: filled, missing };
}

/**
 * The address without user, password and fragment, in the form in which its digest is kept: a new password is no change.
 * An address that cannot be read before its variables are filled in stays as written, but for the credentials.
 */
export function identityOf(address: string): string {
  const bare = address.replace(/#.*$/, '');
  if (!URL.canParse(bare)) return bare.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/@]*@/i, '$1');
  const url = new URL(bare);
  url.username = '';
  url.password = '';
  return url.href;
}

/** How lockfiles name a place: an address by the digest of its identity, a path below the recipe as it is. */
export function placeIdentity(place: string): string {
  return isAddress(place) ? digestOf(identityOf(place)) : place;
}
