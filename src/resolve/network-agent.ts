import { createSecureContext, rootCertificates } from 'node:tls';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Agent, EnvHttpProxyAgent } from 'undici';
import type { Dispatcher } from 'undici';
import { isErrno, RootcellarError } from '../base/rootcellar-error.ts';
import type { Environment } from './resolver-settings.ts';

export interface NetworkSettings {
  readonly environment: Environment;
  /** Hosts, with or without `:PORT`, whose certificate is not checked. */
  readonly trustedHosts: readonly string[];
  /** Files with further authorities, from settings of pip and uv. */
  readonly authorities?: readonly string[] | undefined;
  /** A proxy for all requests, which pip's own settings name. */
  readonly proxy?: string | undefined;
  /** Of a connection that stays silent; a minute unless said. */
  readonly timeoutMs?: number | undefined;
}

/** Connections as curl, uv and pip would make them: proxies, authorities and trusted hosts. */
export interface Network {
  /** The dispatcher for an address. */
  readonly dispatcherFor: (url: URL) => Dispatcher;
  readonly close: () => Promise<void>;
}

const TIMEOUT_MS = 60_000;

/** Variables that name a file of authorities. */
const AUTHORITY_FILES = ['SSL_CERT_FILE', 'PIP_CERT', 'REQUESTS_CA_BUNDLE', 'CURL_CA_BUNDLE', 'NODE_EXTRA_CA_CERTS'];

/** Where distributions keep the authorities that the owner of a machine trusts. */
const SYSTEM_FILES = ['/etc/ssl/certs/ca-certificates.crt', '/etc/pki/tls/certs/ca-bundle.crt'];

/** Throws E_USAGE for a file of authorities that is named but cannot be read. */
export async function openNetwork(settings: NetworkSettings): Promise<Network> {
  const ca = await readAuthorities(settings);
  const client = await readClientCertificate(settings.environment);
  // Hundreds of certificates take a while to read, and whoever speaks no TLS needs none.
  const secureContext = lazily(() => createSecureContext({ ca: [...ca], ...client }));
  const checked = lazily(() => makeAgent(settings, { secureContext: secureContext() }));
  const unchecked = lazily(() => makeAgent(settings, { secureContext: secureContext(), rejectUnauthorized: false }));
  const plain = lazily(() => makeAgent(settings, undefined));
  const trusted = new Set(settings.trustedHosts.map((host) => host.toLowerCase()));
  const isPlain = (url: URL): boolean => url.protocol === 'http:' && !hasSecureProxy(settings);
  return {
    dispatcherFor: (url) => (isPlain(url) ? plain : isTrusted(url, trusted) ? unchecked : checked)(),
    close: async () => {
      await Promise.all([plain, checked, unchecked].map(async (agent) => await agent.made()?.destroy()));
    },
  };
}

interface Lazy<T> {
  (): T;
  /** What was made, if it was. */
  readonly made: () => T | undefined;
}

function lazily<T>(make: () => T): Lazy<T> {
  let made: T | undefined;
  return Object.assign(() => (made ??= make()), { made: () => made });
}

function isTrusted(url: URL, trusted: ReadonlySet<string>): boolean {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const port = url.port === '' ? (url.protocol === 'https:' ? '443' : '80') : url.port;
  return trusted.has(host) || trusted.has(`${host}:${port}`);
}

interface TlsOptions {
  readonly secureContext: ReturnType<typeof createSecureContext>;
  readonly rejectUnauthorized?: boolean;
}

function makeAgent(
  { environment, proxy, timeoutMs = TIMEOUT_MS }: NetworkSettings,
  tls: TlsOptions | undefined,
): Dispatcher {
  const connect = { ...tls, timeout: timeoutMs };
  const timeouts = { headersTimeout: timeoutMs, bodyTimeout: timeoutMs };
  const { httpProxy, httpsProxy, noProxy } = proxiesOf(environment, proxy);
  if (httpProxy === '' && httpsProxy === '') return new Agent({ connect, ...timeouts });
  return new EnvHttpProxyAgent({
    httpProxy,
    httpsProxy,
    noProxy,
    // Most proxies open tunnels for HTTPS only.
    proxyTunnel: false,
    connect,
    ...(tls === undefined ? {} : { requestTls: tls, proxyTls: tls }),
    ...timeouts,
  });
}

interface Proxies {
  /** Empty: none. */
  readonly httpProxy: string;
  readonly httpsProxy: string;
  readonly noProxy: string;
}

function proxiesOf(environment: Environment, proxy: string | undefined): Proxies {
  const get = (name: string): string => environment[name.toLowerCase()] ?? environment[name] ?? '';
  const all = /^https?:/i.test(get('ALL_PROXY')) ? get('ALL_PROXY') : '';
  return {
    httpProxy: proxyAddress(proxy ?? (get('HTTP_PROXY') || all)),
    httpsProxy: proxyAddress(proxy ?? (get('HTTPS_PROXY') || all)),
    noProxy: get('NO_PROXY'),
  };
}

function hasSecureProxy({ environment, proxy }: NetworkSettings): boolean {
  return proxiesOf(environment, proxy).httpProxy.startsWith('https:');
}

/** A proxy may be written without its scheme; what is no HTTP proxy is left out, as there is no other way to reach it. */
function proxyAddress(text: string): string {
  if (text === '') return '';
  const address = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  if (/^https?:/i.test(address) && URL.canParse(address)) return address;
  throw new RootcellarError('E_USAGE', 'the proxy of the environment is no HTTP proxy', {
    hint: 'set HTTPS_PROXY to an address that starts with `http://`',
  });
}

/** The usual authorities, those of this machine, and those that the user names. */
async function readAuthorities({ environment, authorities = [] }: NetworkSettings): Promise<readonly string[]> {
  const named = AUTHORITY_FILES.flatMap((name) => {
    const file = environment[name] ?? '';
    return file === '' ? [] : [{ file, name }];
  });
  const files = [...named, ...authorities.map((file) => ({ file, name: 'settings of pip or uv' }))];
  const texts = await Promise.all(files.map(readAuthority));
  const folder = environment['SSL_CERT_DIR'] ?? '';
  const inFolder = folder === '' ? [] : await readFolders(folder.split(':'));
  const ofSystem = (await Promise.all(SYSTEM_FILES.map(readIfThere))).filter((text) => text !== undefined);
  return [...new Set([...rootCertificates, ...ofSystem, ...texts, ...inFolder])];
}

async function readAuthority({ file, name }: { readonly file: string; readonly name: string }): Promise<string> {
  const text = await readIfThere(file);
  if (text?.includes('-----BEGIN') === true) return text;
  // A folder here is for programs that look certificates up by hash; its files are read alike.
  const [first, ...rest] = await readFolders([file]);
  if (first !== undefined) return [first, ...rest].join('\n');
  throw new RootcellarError('E_USAGE', `${name}: \`${file}\` holds no certificates`, {
    hint: `unset ${name}, or name a file in PEM form`,
  });
}

async function readFolders(folders: readonly string[]): Promise<readonly string[]> {
  const texts = await Promise.all(
    folders.map(async (folder) => {
      const names = await readdir(folder).catch(() => []);
      return await Promise.all(names.map((name) => readIfThere(join(folder, name))));
    }),
  );
  return texts.flat().flatMap((text) => (text?.includes('-----BEGIN') === true ? [text] : []));
}

async function readClientCertificate(
  environment: Environment,
): Promise<{ readonly cert?: string; readonly key?: string }> {
  const file = environment['PIP_CLIENT_CERT'] ?? environment['SSL_CLIENT_CERT'] ?? '';
  if (file === '') return {};
  const text = await readAuthority({ file, name: 'PIP_CLIENT_CERT' });
  return { cert: text, key: text };
}

async function readIfThere(file: string): Promise<string | undefined> {
  return await readFile(file, 'utf8').catch((error: unknown) => {
    if (['ENOENT', 'ENOTDIR', 'EISDIR', 'EACCES'].some((name) => isErrno(error, name))) return undefined;
    throw error;
  });
}
