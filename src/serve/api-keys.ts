import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { RootcellarError } from '../base/rootcellar-error.ts';
import { quotedWord } from '../recipe/quoted-value.ts';

/** A secret that lets its holder in, and what its holder is called in metrics and logs. */
export interface ApiKey {
  readonly name: string;
  readonly key: string;
}

/** The keys of a service, as digests alone. Empty: whoever reaches the service may use it. */
export type KeyRing = readonly { readonly name: string; readonly digest: Buffer }[];

/** The key of dify-sandbox's shipped configuration, which everybody knows. */
const WELL_KNOWN_KEY = 'dify-sandbox';

/** What the one key is called that has no name of its own. */
export const DEFAULT_KEY_NAME = 'default';

export function keyRing(keys: readonly ApiKey[]): KeyRing {
  return keys.map(({ name, key }) => ({ name, digest: digestOfKey(key) }));
}

/**
 * The name of the key that was offered; undefined: it is none of the ring's. Takes the same time whatever was offered:
 * digests have one length, and each is compared.
 */
export function holderOf(ring: KeyRing, offered: string): string | undefined {
  const digest = digestOfKey(offered);
  const names = ring.flatMap((one) => (timingSafeEqual(one.digest, digest) ? [one.name] : []));
  return names[0];
}

/**
 * What a request offers: `X-Api-Key`, as dify-sandbox's clients do, `Authorization: Bearer`, or the password of `Basic`, which
 * browsers ask for. Empty where it offers nothing.
 */
export function offeredKey(headers: IncomingHttpHeaders): string {
  const own = headers['x-api-key'];
  if (typeof own === 'string') return own;
  const [, scheme = '', value = ''] = /^([A-Za-z]+) +(\S+) *$/.exec(headers.authorization ?? '') ?? [];
  if (scheme.toLowerCase() === 'bearer') return value;
  if (scheme.toLowerCase() !== 'basic') return '';
  const [, password = ''] = /^[^:]*:([^]*)$/.exec(Buffer.from(value, 'base64').toString('utf8')) ?? [];
  return password;
}

/**
 * `NAME KEY` on each line of a file of keys; `#` begins a comment line. Throws E_USAGE; no message has a key in it.
 */
export function parseKeyFile(text: string, file: string): readonly ApiKey[] {
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  const keys = lines.flatMap((line, index): ApiKey[] => {
    if (line === '' || line.startsWith('#')) return [];
    const [, name, key] = /^([A-Za-z0-9][A-Za-z0-9._-]{0,63})\s+(\S+)$/.exec(line) ?? [];
    if (name === undefined || key === undefined) throw badLine(file, index + 1);
    return [{ name, key }];
  });
  const twice = keys.find(({ name, key }, index) =>
    keys.slice(0, index).some((other) => other.name === name || other.key === key),
  );
  if (twice !== undefined) {
    throw new RootcellarError('E_USAGE', `${file}: ${quotedWord(twice.name)} has a name or a key that is there twice`, {
      hint: 'give each holder a name and a key of its own',
    });
  }
  if (keys.length > 0) return keys;
  throw new RootcellarError('E_USAGE', `${file}: has no keys`, { hint: 'write `NAME KEY` on each line' });
}

function badLine(file: string, line: number): RootcellarError {
  return new RootcellarError('E_USAGE', `${file}:${line}: is not \`NAME KEY\``, {
    hint: 'use letters, digits, `.`, `_` and `-` for the name, and no blanks in the key',
  });
}

/**
 * Throws E_UNSAFE_LISTEN where others than this machine could use the service without a secret: with no key, or with the one
 * that everybody knows.
 */
export function checkExposure(host: string, keys: readonly ApiKey[]): void {
  if (isLoopback(host)) return;
  const isKnown = keys.some(({ key }) => key === WELL_KNOWN_KEY);
  if (keys.length > 0 && !isKnown) return;
  const fault = isKnown ? 'has the key of dify-sandbox’s own configuration, which everybody knows' : 'has no key';
  throw new RootcellarError('E_UNSAFE_LISTEN', `the service: would listen on \`${host}\`, and ${fault}`, {
    hint: 'export API_KEY=$(openssl rand -hex 24), and give Dify the same as CODE_EXECUTION_API_KEY; or --listen 127.0.0.1',
  });
}

/** Whether only this machine reaches it. */
export function isLoopback(host: string): boolean {
  return /^(?:localhost|127(?:\.\d{1,3}){3}|::1|\[::1\])$/i.test(host);
}

function digestOfKey(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}
