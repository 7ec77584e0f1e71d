import { request } from 'undici';
import type { Dispatcher } from 'undici';
import { RootcellarError } from '../base/rootcellar-error.ts';
import type { Login } from './netrc.ts';
import type { Network } from './network-agent.ts';

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** The caller reads it to its end or dumps it. */
  readonly body: Dispatcher.ResponseData['body'];
  /** Where the answer came from, after redirects; holds credentials when the asked address did and the host is the same. */
  readonly url: string;
}

export interface HttpRequest {
  readonly url: string;
  readonly method: 'GET' | 'HEAD';
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

export interface HttpClient {
  /** Follows redirects and tries again what may pass. Throws what the network throws, and E_CANCELLED. */
  readonly send: (wanted: HttpRequest) => Promise<HttpAnswer>;
}

export interface ClientOptions {
  readonly network: Network;
  readonly signal: AbortSignal | undefined;
  /** Credentials for an address that has none, from files. */
  readonly loginFor: (url: URL) => Login | undefined;
  /** Credentials for an address that has refused those before, from elsewhere. */
  readonly loginAfterRefusal: (url: URL) => Promise<Login | undefined>;
}

const TRIES = 3;
const MOST_REDIRECTS = 10;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

export function openHttpClient(options: ClientOptions): HttpClient {
  return { send: (wanted) => sendAgain(wanted, options, TRIES) };
}

async function sendAgain(wanted: HttpRequest, options: ClientOptions, tries: number): Promise<HttpAnswer> {
  const answer = await sendOnce(wanted, options).catch((error: unknown) => {
    if (options.signal?.aborted === true) throw new RootcellarError('E_CANCELLED', 'package index: stopped');
    if (error instanceof RootcellarError || tries <= 1) throw error;
    return undefined;
  });
  if (answer !== undefined && (tries <= 1 || (answer.status < 500 && answer.status !== 429))) return answer;
  await answer?.body.dump();
  return await sendAgain(wanted, options, tries - 1);
}

async function sendOnce(wanted: HttpRequest, options: ClientOptions): Promise<HttpAnswer> {
  const url = new URL(wanted.url);
  const own = loginOf(url);
  const isWhole = own !== undefined && own.password !== '';
  const login = isWhole ? own : (matching(options.loginFor(url), own) ?? own);
  const answer = await follow({ ...wanted, address: url, login, redirects: 0 }, options);
  if (answer.status !== 401 || isWhole) return answer;
  const other = await options.loginAfterRefusal(url);
  if (other === undefined) return answer;
  await answer.body.dump();
  return await follow({ ...wanted, address: url, login: other, redirects: 0 }, options);
}

/** A user in the address is the one whose password is looked for. */
function matching(found: Login | undefined, own: Login | undefined): Login | undefined {
  return own === undefined || found?.username === own.username ? found : undefined;
}

interface Step extends HttpRequest {
  readonly address: URL;
  readonly login: Login | undefined;
  readonly redirects: number;
}

/** Credentials go to the origin that they are for and to no other; a server cannot point to this machine's files. */
async function follow(step: Step, options: ClientOptions): Promise<HttpAnswer> {
  const { address, login, method, headers } = step;
  if (options.signal?.aborted === true) throw new RootcellarError('E_CANCELLED', 'package index: stopped');
  const bare = new URL(address);
  bare.username = '';
  bare.password = '';
  bare.hash = '';
  const response = await request(bare, {
    method,
    dispatcher: options.network.dispatcherFor(bare),
    headers: { 'user-agent': 'rootcellar', 'accept-encoding': 'identity', ...headers, ...authorization(login) },
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  const { statusCode: status, body } = response;
  const location = response.headers['location'];
  if (!REDIRECTS.has(status) || typeof location !== 'string' || step.redirects === MOST_REDIRECTS) {
    return { status, headers: response.headers, body, url: withLogin(bare, login) };
  }
  await body.dump();
  const next = URL.canParse(location, bare.href) ? new URL(location, bare.href) : undefined;
  if (next === undefined || !/^https?:$/.test(next.protocol)) {
    throw new RootcellarError('E_DOWNLOAD', 'package index: it redirects to no web address', {
      hint: 'check the address of the index',
    });
  }
  const isSame = next.origin === bare.origin;
  const kept = loginOf(next) ?? (isSame ? login : options.loginFor(next));
  return await follow({ ...step, address: next, login: kept, redirects: step.redirects + 1 }, options);
}

function authorization(login: Login | undefined): Readonly<Record<string, string>> {
  if (login === undefined) return {};
  return { authorization: `Basic ${Buffer.from(`${login.username}:${login.password}`).toString('base64')}` };
}

function loginOf({ username, password }: URL): Login | undefined {
  return username === '' && password === '' ? undefined : { username: plain(username), password: plain(password) };
}

/** Text that is no valid percent-encoding stands for itself. */
function plain(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (error instanceof URIError) return text;
    throw error;
  }
}

function withLogin(url: URL, login: Login | undefined): string {
  if (login === undefined) return url.href;
  const own = new URL(url);
  own.username = encodeURIComponent(login.username);
  own.password = encodeURIComponent(login.password);
  return own.href;
}
