import { request } from 'undici';
import { RootcellarError } from '../base/rootcellar-error.ts';
import type { Network } from '../resolve/network-agent.ts';
import { textOfBody } from '../store/drained.ts';
import { recordFrom } from '../store/json-shape.ts';
import { parseChallenge, type Challenge } from './registry-challenge.ts';
import type { RegistryOptions } from './registry-client.ts';
import type { Credentials } from './registry-credentials.ts';
import { refused, unreachable } from './registry-fault.ts';
import { isLoopback } from './registry-host.ts';

/** Knows what to send as `Authorization`. */
export interface Authority {
  /** For these scopes, if it was found out before. */
  known(scopes: readonly string[]): string | undefined;
  /**
   * What a challenge asks for, where the request had `used`; undefined where nothing else can be said. Throws as
   * `Registry.send` does.
   */
  answer(challenge: string, scopes: readonly string[], used: string | undefined): Promise<string | undefined>;
  /** The text without any secret that was sent. */
  scrubbed(text: string): string;
}

export interface AuthorityOptions extends RegistryOptions {
  readonly network: Network;
  readonly base: URL;
}

const LARGEST_TOKEN = 1024 ** 2;

export function openAuthority(options: AuthorityOptions): Authority {
  const { credentials } = options.credentials;
  const answers = new Map<string, string>();
  const secrets = new Set(credentials === undefined ? [] : secretsOf(credentials));
  const keep = (scopes: readonly string[], authorization: string): string => {
    answers.set(scopes.join(' '), authorization);
    secrets.add(authorization.slice(authorization.indexOf(' ') + 1));
    return authorization;
  };
  return {
    known: (scopes) => answers.get(scopes.join(' ')),
    answer: async (text, scopes, used) => {
      const challenge = parseChallenge(text);
      if (challenge === undefined) return undefined;
      const known = answers.get(scopes.join(' '));
      // Another request has found it out in the meantime.
      if (known !== undefined && known !== used) return known;
      if (challenge.kind === 'basic') {
        const authorization = credentials?.kind === 'login' ? basic(credentials) : undefined;
        return authorization === undefined || authorization === used ? undefined : keep(scopes, authorization);
      }
      const token = await tokenFor(challenge, scopes, options);
      return token === undefined ? undefined : keep(scopes, `Bearer ${token}`);
    },
    scrubbed: (text) => {
      let result = text;
      for (const secret of secrets) if (secret !== '') result = result.replaceAll(secret, '…');
      return result;
    },
  };
}

function secretsOf(credentials: Credentials): readonly string[] {
  if (credentials.kind !== 'login') return [credentials.token];
  return [credentials.password, basic(credentials).slice('Basic '.length)];
}

function basic({ username, password }: { readonly username: string; readonly password: string }): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

/**
 * A token of the place that the registry names. Source: OCI distribution specification's "Token Authentication"; Docker's
 * "OAuth2 Token Authentication".
 */
async function tokenFor(
  challenge: Extract<Challenge, { readonly kind: 'bearer' }>,
  scopes: readonly string[],
  options: AuthorityOptions,
): Promise<string | undefined> {
  const { credentials } = options.credentials;
  if (credentials?.kind === 'token') return credentials.token;
  const realm = realmUrl(challenge.realm, options);
  const { network, signal, reference } = options;
  const wanted = new URLSearchParams();
  if (challenge.service !== undefined) wanted.set('service', challenge.service);
  const needed = scopes.length > 0 ? scopes : (challenge.scope ?? '').split(' ').filter(Boolean);
  const isExchange = credentials?.kind === 'identity';
  if (isExchange) {
    wanted.set('grant_type', 'refresh_token');
    wanted.set('client_id', 'rootcellar');
    wanted.set('refresh_token', credentials.token);
    wanted.set('scope', needed.join(' '));
  } else {
    for (const [name, value] of wanted) realm.searchParams.set(name, value);
    for (const scope of needed) realm.searchParams.append('scope', scope);
  }
  const headers: Record<string, string> = {
    'user-agent': 'rootcellar',
    ...(isExchange ? { 'content-type': 'application/x-www-form-urlencoded' } : {}),
    ...(credentials?.kind === 'login' ? { authorization: basic(credentials) } : {}),
  };
  const answer = await request(realm, {
    method: isExchange ? 'POST' : 'GET',
    dispatcher: network.dispatcherFor(realm),
    headers,
    ...(isExchange ? { body: wanted.toString() } : {}),
    signal,
  }).catch((error: unknown) => {
    signal.throwIfAborted();
    throw unreachable(realm.host, error);
  });
  const text = await textOfBody(answer.body, LARGEST_TOKEN);
  if (answer.statusCode !== 200) throw tokenRefused(answer.statusCode, options);
  return tokenIn(text, reference.registry);
}

/** Its text is left out: it may tell what it was asked with. */
function tokenRefused(status: number, { reference, credentials }: AuthorityOptions): RootcellarError {
  const context = {
    registry: reference.registry,
    action: `log in for ${reference.repository}`,
    where: credentials.where,
    hasCredentials: credentials.credentials !== undefined,
  };
  return refused(context, status === 400 ? 401 : status, '');
}

/** Where a registry has TLS, nobody may be told a password without it. */
function realmUrl(realm: string, { base, reference }: AuthorityOptions): URL {
  const url = URL.canParse(realm, base.href) ? new URL(realm, base) : undefined;
  const isSafe =
    url?.protocol === 'https:' || (url?.protocol === 'http:' && (base.protocol === 'http:' || isLoopback(url.host)));
  if (url !== undefined && isSafe) return url;
  throw new RootcellarError('E_REGISTRY', `registry \`${reference.registry}\`: names no safe place to log in at`, {
    hint: 'ask whoever runs it',
  });
}

function tokenIn(text: string, registry: string): string {
  try {
    const record = recordFrom(JSON.parse(text));
    const token = [record['token'], record['access_token']].find((one) => typeof one === 'string' && one !== '');
    if (typeof token === 'string' && /^[\x21-\x7e]+$/.test(token)) return token;
  } catch {
    // What the parser says would show a part of the token.
  }
  throw new RootcellarError(
    'E_REGISTRY',
    `registry \`${registry}\`: where it sends users to log in, no token is given`,
    {
      hint: 'ask whoever runs it',
    },
  );
}
