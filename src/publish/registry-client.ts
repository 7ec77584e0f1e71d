import type { Readable } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import { request, type Dispatcher } from 'undici';
import { RootcellarError } from '../base/rootcellar-error.ts';
import type { Progress } from '../base/progress.ts';
import { openNetwork, type Network } from '../resolve/network-agent.ts';
import { textOfBody } from '../store/drained.ts';
import { headerOf } from '../store/http-answer.ts';
import type { ImageReference } from './image-reference.ts';
import { openAuthority, type Authority } from './registry-authority.ts';
import type { FoundCredentials } from './registry-credentials.ts';
import { isNoTls, mayPass, refused, unreachable } from './registry-fault.ts';
import { isLoopback, withoutProxyFor } from './registry-host.ts';

export interface RegistryOptions {
  readonly reference: ImageReference;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly credentials: FoundCredentials;
  /** Whether to speak HTTP without TLS with any host; with this machine itself it is done where TLS is not spoken. */
  readonly plainHttp: boolean;
  readonly signal: AbortSignal;
  readonly progress: Progress;
  /** Pause before the second attempt; 500 unless said. Doubles with each further one. */
  readonly retryDelayMs?: number | undefined;
}

export interface RegistryRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH';
  /** Below the registry's address, such as `/v2/team/python/tags/list`, or a whole address that the registry gave. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Made anew for each attempt. */
  readonly body?: (() => Readable | string) | undefined;
  /** What it needs to be allowed, such as `repository:team/python:pull`. */
  readonly scopes: readonly string[];
  /** Statuses that the caller understands; all others are errors. */
  readonly expected: readonly number[];
  /** For errors, such as `push team/python`. */
  readonly action: string;
  /** Attempts at most; 4 unless said. */
  readonly attempts?: number | undefined;
}

export interface RegistryAnswer {
  readonly status: number;
  /** In lower case. */
  readonly header: (name: string) => string | undefined;
  /** Where it came from, after redirects. */
  readonly url: URL;
  /** The caller drains or dumps it. */
  readonly body: Dispatcher.ResponseData['body'];
}

export interface Registry {
  readonly reference: ImageReference;
  readonly signal: AbortSignal;
  readonly progress: Progress;
  /**
   * Sends a request with what the registry wants to know of the user, follows redirects, and tries again what may pass.
   * Throws E_REGISTRY, E_REGISTRY_DENIED, E_IMAGE_NOT_FOUND for 404, E_CANCELLED.
   */
  send(wanted: RegistryRequest): Promise<RegistryAnswer>;
  close(): Promise<void>;
}

const MOST_ATTEMPTS = 4;
const LONGEST_PAUSE_MS = 60_000;
const MOST_REDIRECTS = 10;
const TIMEOUT_MS = 60_000;
const MOST_ERROR_TEXT = 64 * 1024;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

interface Connection extends RegistryOptions {
  readonly network: Network;
  readonly authority: Authority;
  readonly base: URL;
}

/** Finds out whether the registry speaks TLS. Throws E_REGISTRY when it cannot be reached. */
export async function openRegistry(options: RegistryOptions): Promise<Registry> {
  const { reference, environment, progress, signal } = options;
  const { registry } = reference;
  const network = await openNetwork({
    environment: withoutProxyFor(registry, environment),
    trustedHosts: [],
    timeoutMs: TIMEOUT_MS,
  });
  try {
    const base = await findBase(options, network);
    if (base.protocol === 'http:' && !isLoopback(registry) && options.credentials.credentials !== undefined) {
      progress({
        kind: 'warning',
        message: `registry \`${registry}\`: is sent credentials that everybody on the way can read`,
      });
    }
    const authority = openAuthority({ ...options, network, base });
    const connection = { ...options, network, authority, base };
    return {
      reference,
      signal,
      progress,
      send: (wanted) => sendAgain(connection, wanted, 1),
      close: () => network.close(),
    };
  } catch (error) {
    await network.close();
    throw error;
  }
}

/** Only on this machine itself TLS is left out without being told. */
async function findBase({ reference, plainHttp, signal }: RegistryOptions, network: Network): Promise<URL> {
  const { registry } = reference;
  const host = registry === 'docker.io' ? 'registry-1.docker.io' : registry;
  const plain = new URL(`http://${host}`);
  const secure = new URL(`https://${host}`);
  if (plainHttp) return plain;
  if (!isLoopback(registry)) return secure;
  try {
    const { body } = await request(new URL('/v2/', secure), { dispatcher: network.dispatcherFor(secure), signal });
    await body.dump();
    return secure;
  } catch (error) {
    if (signal.aborted) throw cancelled();
    if (isNoTls(error)) return plain;
    throw unreachable(registry, error);
  }
}

async function sendAgain(connection: Connection, wanted: RegistryRequest, attempt: number): Promise<RegistryAnswer> {
  const { signal, reference, retryDelayMs = 500 } = connection;
  const isLast = attempt >= (wanted.attempts ?? MOST_ATTEMPTS);
  let pauseMs = retryDelayMs * 2 ** (attempt - 1);
  try {
    const answer = await sendAuthorised(connection, wanted);
    if (wanted.expected.includes(answer.status)) return answer;
    const asked = Number(answer.header('retry-after') ?? '0') * 1000;
    const isBusy = answer.status >= 500 || answer.status === 429 || answer.status === 408;
    if (isLast || !isBusy || asked > LONGEST_PAUSE_MS) throw await refusal(connection, wanted, answer);
    await answer.body.dump();
    pauseMs = Math.max(pauseMs, Number.isFinite(asked) ? asked : 0);
  } catch (error) {
    if (signal.aborted) throw cancelled();
    if (error instanceof RootcellarError) throw error;
    if (isLast || !mayPass(error)) throw unreachable(reference.registry, error);
  }
  await setTimeout(pauseMs, undefined, { signal }).catch(() => {
    throw cancelled();
  });
  return sendAgain(connection, wanted, attempt + 1);
}

/** Once more, with a token or a login, when the registry asks for one. */
async function sendAuthorised(connection: Connection, wanted: RegistryRequest): Promise<RegistryAnswer> {
  const { authority, base } = connection;
  const url = new URL(wanted.path, base);
  const used = authority.known(wanted.scopes);
  const first = await follow(connection, { wanted, url, authorization: used, redirects: 0 });
  if (first.status !== 401 || first.url.origin !== base.origin) return first;
  const challenge = first.header('www-authenticate') ?? '';
  const authorization = await authority.answer(challenge, wanted.scopes, used);
  if (authorization === undefined) return first;
  await first.body.dump();
  return follow(connection, { wanted, url, authorization, redirects: 0 });
}

interface Step {
  readonly wanted: RegistryRequest;
  readonly url: URL;
  readonly authorization: string | undefined;
  readonly redirects: number;
}

/** Credentials go to the registry and to no other origin, however it redirects. */
async function follow(connection: Connection, step: Step): Promise<RegistryAnswer> {
  const { network, signal, base } = connection;
  const { wanted, url, authorization, redirects } = step;
  signal.throwIfAborted();
  const isOwn = url.origin === base.origin;
  const {
    statusCode: status,
    headers,
    body,
  } = await request(url, {
    method: wanted.method,
    dispatcher: network.dispatcherFor(url),
    headers: {
      'user-agent': 'rootcellar',
      'accept-encoding': 'identity',
      ...wanted.headers,
      ...(isOwn && authorization !== undefined ? { authorization } : {}),
    },
    ...(wanted.body === undefined ? {} : { body: wanted.body() }),
    signal,
  });
  // A body that is destroyed before its end says so by an event; whoever reads it gets the error anyway.
  body.on('error', () => undefined);
  const header = (name: string): string | undefined => headerOf({ status, headers }, name);
  const location = header('location');
  const isRead = wanted.method === 'GET' || wanted.method === 'HEAD';
  if (!REDIRECTS.has(status) || location === undefined || !isRead) return { status, header, url, body };
  await body.dump();
  const next = URL.canParse(location, url.href) ? new URL(location, url) : undefined;
  const isSafe = next?.protocol === 'https:' || (next?.protocol === 'http:' && base.protocol === 'http:');
  if (next === undefined || !isSafe || redirects === MOST_REDIRECTS) {
    throw new RootcellarError('E_REGISTRY', `registry \`${connection.reference.registry}\`: redirects to nowhere`, {
      hint: 'ask whoever runs it',
    });
  }
  return follow(connection, { wanted, url: next, authorization, redirects: redirects + 1 });
}

async function refusal(
  { reference, credentials, authority }: Connection,
  { action }: RegistryRequest,
  { status, body }: RegistryAnswer,
): Promise<RootcellarError> {
  const text = await textOfBody(body, MOST_ERROR_TEXT);
  const { where } = credentials;
  const hasCredentials = credentials.credentials !== undefined;
  return refused({ registry: reference.registry, action, where, hasCredentials }, status, authority.scrubbed(text));
}

function cancelled(): RootcellarError {
  return new RootcellarError('E_CANCELLED', 'registry: stopped');
}
