import { readFile } from 'node:fs/promises';
import { rootCertificates } from 'node:tls';
import { EnvHttpProxyAgent, interceptors, request, type Dispatcher } from 'undici';
import { RootcellarError } from '../base/rootcellar-error.ts';
import { normalName } from '../recipe/requirement-parts.ts';
import { withCredentials } from './index-settings.ts';
import { netrcLogin } from './netrc.ts';
import { redactAddresses } from './redact.ts';
import type { Environment, ResolverSettings } from './resolver-settings.ts';
import { parseSimpleHtml, parseSimpleJson, type IndexFile } from './simple-page.ts';

/** The package indexes of this machine, as one. Answers are kept as long as it lives. */
export interface PackageIndex {
  /** All files of a project, those of better indexes first; empty when no index knows it. Throws E_DOWNLOAD. */
  readonly files: (project: string) => Promise<readonly IndexFile[]>;
  /** Bytes of a file: as the index says, else as the server that has it says. Throws E_DOWNLOAD. */
  readonly sizeOf: (file: IndexFile) => Promise<number>;
}

export interface IndexAccess {
  /** Addresses of simple APIs, best first; may carry credentials. */
  readonly addresses: readonly string[];
  readonly netrc: string | undefined;
  readonly settings: ResolverSettings;
}

const JSON_TYPE = 'application/vnd.pypi.simple.v1+json';
const ACCEPT = `${JSON_TYPE}, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1`;
const LARGEST_PAGE = 128 * 1024 ** 2;
const TIMEOUT_MS = 60_000;
const TRIES = 3;

/** Runs `body` with the indexes, and closes the connections afterwards. */
export async function withPackageIndex<T>(access: IndexAccess, body: (index: PackageIndex) => Promise<T>): Promise<T> {
  const agent = await makeAgent(access.settings.environment);
  const dispatcher = agent.compose(interceptors.redirect({ maxRedirections: 5 }));
  const pages = new Map<string, Promise<readonly IndexFile[]>>();
  const get: Get = (url, method) => withRetries(() => send({ url, method, dispatcher, access }), TRIES);
  try {
    return await body({
      files: (project) => {
        const name = normalName(project);
        const page = pages.get(name) ?? filesOf(name, access, get);
        pages.set(name, page);
        return page;
      },
      sizeOf: async (file) => file.size ?? (await lengthOf(file, get)),
    });
  } finally {
    await agent.destroy();
  }
}

/** Proxies as curl, uv and pip understand them, and the certificates that the user trusts besides the usual ones. */
async function makeAgent(environment: Environment): Promise<Dispatcher> {
  const names = ['SSL_CERT_FILE', 'PIP_CERT', 'REQUESTS_CA_BUNDLE', 'NODE_EXTRA_CA_CERTS'];
  const files = [...new Set(names.flatMap((name) => environment[name] ?? []))];
  const extra = await Promise.all(files.map((file) => readFile(file, 'utf8')));
  const connect = extra.length === 0 ? {} : { ca: [...rootCertificates, ...extra] };
  const timeouts = { headersTimeout: TIMEOUT_MS, bodyTimeout: TIMEOUT_MS };
  return new EnvHttpProxyAgent({
    httpProxy: environment['http_proxy'] ?? environment['HTTP_PROXY'] ?? '',
    httpsProxy: environment['https_proxy'] ?? environment['HTTPS_PROXY'] ?? '',
    noProxy: environment['no_proxy'] ?? environment['NO_PROXY'] ?? '',
    connect: { ...connect, timeout: TIMEOUT_MS },
    requestTls: connect,
    ...timeouts,
  });
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly length: number | undefined;
  readonly text: string;
}

type Get = (url: string, method: 'GET' | 'HEAD') => Promise<Answer>;

async function filesOf(name: string, access: IndexAccess, get: Get): Promise<readonly IndexFile[]> {
  const pages = await Promise.all(
    access.addresses.map(async (address) => {
      const url = authorised(`${address.replace(/\/+$/, '')}/${name}/`, access.netrc);
      const answer = await get(url, 'GET');
      if (answer.status === 404 || answer.status === 410) return [];
      if (answer.status !== 200) throw failed(`package index: page of \`${name}\`: HTTP status ${answer.status}`);
      const page = answer.type.startsWith(JSON_TYPE)
        ? parseSimpleJson(answer.text, url)
        : parseSimpleHtml(answer.text, url);
      if (page === undefined) throw failed(`package index: page of \`${name}\`: it is not what PEP 691 says`);
      return page.map((file) => withUrl(file, sameLogin(file.url, url)));
    }),
  );
  return pages.flat();
}

function withUrl(file: IndexFile, url: string): IndexFile {
  return { ...file, url };
}

/** Gives a file on the index's own host the index's credentials. */
function sameLogin(url: string, page: string): string {
  const from = new URL(page);
  if (from.username === '' || new URL(url).host !== from.host) return url;
  return withCredentials(url, decodeURIComponent(from.username), decodeURIComponent(from.password));
}

function authorised(url: string, netrc: string | undefined): string {
  const login = netrc === undefined || !URL.canParse(url) ? undefined : netrcLogin(netrc, new URL(url).hostname);
  return login === undefined ? url : withCredentials(url, login.username, login.password);
}

async function lengthOf(file: IndexFile, get: Get): Promise<number> {
  const { status, length } = await get(file.url, 'HEAD');
  if (status === 200 && length !== undefined) return length;
  throw failed(`package index: \`${file.file}\`: its size cannot be found out, HTTP status ${status}`);
}

async function withRetries(work: () => Promise<Answer>, tries: number): Promise<Answer> {
  const answer = await work().catch((error: unknown) => {
    if (error instanceof RootcellarError || tries <= 1) throw asDownloadError(error);
    return undefined;
  });
  if (answer !== undefined && (tries <= 1 || (answer.status < 500 && answer.status !== 429))) return answer;
  return await withRetries(work, tries - 1);
}

function asDownloadError(error: unknown): unknown {
  if (error instanceof RootcellarError || !(error instanceof Error)) return error;
  const reason = 'code' in error && typeof error.code === 'string' ? error.code : error.message;
  return failed(`package index: no answer (${reason})`, error);
}

interface Sending {
  readonly url: string;
  readonly method: 'GET' | 'HEAD';
  readonly dispatcher: Dispatcher;
  readonly access: IndexAccess;
}

async function send({ url, method, dispatcher, access }: Sending): Promise<Answer> {
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    throw failed('package index: its address must start with `https://` or `http://`');
  }
  const address = new URL(url);
  const login = `${decodeURIComponent(address.username)}:${decodeURIComponent(address.password)}`;
  const authorization = login === ':' ? {} : { authorization: `Basic ${Buffer.from(login).toString('base64')}` };
  address.username = '';
  address.password = '';
  const { signal } = access.settings;
  if (signal?.aborted === true) throw new RootcellarError('E_CANCELLED', 'package index: stopped');
  const response = await request(address, {
    method,
    dispatcher,
    headers: { accept: method === 'GET' ? ACCEPT : '*/*', ...authorization },
    ...(signal === undefined ? {} : { signal }),
  });
  const type = response.headers['content-type'];
  const length = Number(response.headers['content-length'] ?? 'none');
  return {
    status: response.statusCode,
    type: typeof type === 'string' ? type : '',
    length: Number.isSafeInteger(length) ? length : undefined,
    text: await cappedText(response.body),
  };
}

async function cappedText(body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > LARGEST_PAGE) throw failed('package index: a page is larger than 128 MiB');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function failed(message: string, cause?: Error): RootcellarError {
  return new RootcellarError('E_DOWNLOAD', redactAddresses(message), {
    hint: 'check the network, the proxy and the index settings of uv or pip, then try again',
    cause,
  });
}
