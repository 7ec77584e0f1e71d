import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { createGunzip } from 'node:zlib';
import { isErrno, RootcellarError } from '../base/rootcellar-error.ts';
import type { HttpAnswer, HttpClient } from './http-client.ts';
import type { IndexSource } from './index-plan.ts';
import { withCredentials } from './index-settings.ts';
import { parseSimpleHtml, parseSimpleJson, type IndexFile } from './simple-page.ts';

const JSON_TYPE = 'application/vnd.pypi.simple.v1+json';
const ACCEPT = `${JSON_TYPE}, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1`;
const LARGEST_PAGE = 128 * 1024 ** 2;
const DISTRIBUTION = /\.(?:whl|tar\.gz|zip|tgz|tar\.bz2|tar\.xz|egg|exe|msi|rpm|deb|dmg)(?:\.(?:asc|metadata))?$/;

export interface PageRequest {
  /** Normalised. */
  readonly name: string;
  readonly source: IndexSource;
  readonly client: HttpClient;
}

/** A project's files; undefined when the index does not know it. Throws E_DOWNLOAD, E_INDEX_DENIED and E_INDEX_INVALID. */
export async function readProjectPage(request: PageRequest): Promise<readonly IndexFile[] | undefined> {
  const { name, source, client } = request;
  const { label } = source;
  const address = `${source.address}/${name}/`;
  if (/^file:/i.test(address)) return await readLocalPage(`${address}index.html`);
  if (!/^https?:\/\//i.test(address) || !URL.canParse(address)) {
    throw indexFault({ label, kind: 'invalid', detail: 'its address must start with `https://` or `http://`' });
  }
  const headers = { accept: ACCEPT, 'accept-encoding': 'gzip' };
  const { answer, text } = await readAnswer({ client, address, headers, label });
  const { status } = answer;
  if (status === 404 || status === 410) return undefined;
  if (status === 401 || status === 403 || status === 407)
    throw indexFault({ label, kind: 'denied', detail: String(status) });
  if (status !== 200) throw indexFault({ label, kind: 'download', detail: `HTTP status ${status}` });
  const files = pageFiles(typeOf(answer), text, answer.url);
  if (files === undefined)
    throw indexFault({ label, kind: 'invalid', detail: `its page of \`${name}\` is none of an index` });
  return fromWeb(files).map((file) => Object.assign({}, file, { url: sameLogin(file.url, answer.url) }));
}

interface Reading {
  readonly client: HttpClient;
  readonly address: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly label: string;
}

/** A page whose end does not come is asked for once more. */
async function readAnswer(
  reading: Reading,
  tries = 2,
): Promise<{ readonly answer: HttpAnswer; readonly text: string }> {
  const { client, address, headers, label } = reading;
  try {
    const answer = await client.send({ url: address, method: 'GET', headers });
    return { answer, text: await textOf(answer, label) };
  } catch (error) {
    if (error instanceof RootcellarError) throw error;
    if (tries > 1) return await readAnswer(reading, tries - 1);
    throw indexFault({ label, kind: 'download', detail: networkFault(error), cause: error });
  }
}

async function textOf({ headers, body }: HttpAnswer, label: string): Promise<string> {
  const isPacked = headers['content-encoding'] === 'gzip';
  const bytes: AsyncIterable<Uint8Array> = isPacked
    ? body.pipe(createGunzip()).on('error', () => body.destroy())
    : body;
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of bytes) {
    size += chunk.length;
    if (size > LARGEST_PAGE) throw indexFault({ label, kind: 'download', detail: 'a page is larger than 128 MiB' });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function typeOf({ headers }: HttpAnswer): string {
  const type = headers['content-type'];
  return typeof type === 'string' ? type.toLowerCase() : '';
}

/** Undefined for a page that is no project's, such as one that asks people to log in. */
function pageFiles(type: string, text: string, url: string): readonly IndexFile[] | undefined {
  if (/^application\/(?:vnd\.pypi\.simple\.v1\+)?json/.test(type)) return parseSimpleJson(text, url);
  if (!/^(?:text\/html|application\/(?:vnd\.pypi\.simple\.v1\+html|xhtml\+xml)|$)/.test(type)) return undefined;
  const files = parseSimpleHtml(text, url);
  if (files.some(({ file }) => DISTRIBUTION.test(file))) return files.filter(({ file }) => DISTRIBUTION.test(file));
  const isOther = /<(?:form|script|input|button)\b/i.test(text) || /<a\s[^>]*href/i.test(text);
  return isOther ? undefined : [];
}

/** A page of the web cannot offer files of this machine. */
export function fromWeb(files: readonly IndexFile[]): readonly IndexFile[] {
  return files.filter(({ url }) => !url.startsWith('file:'));
}

async function readLocalPage(address: string): Promise<readonly IndexFile[] | undefined> {
  try {
    return parseSimpleHtml(await readFile(fileURLToPath(address), 'utf8'), address);
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) return undefined;
    throw error;
  }
}

/** Gives a file of the index's own origin the index's credentials. */
function sameLogin(url: string, page: string): string {
  const from = new URL(page);
  if (from.username === '' || new URL(url).origin !== from.origin) return url;
  return withCredentials(url, decodeURIComponent(from.username), decodeURIComponent(from.password));
}

export interface IndexFault {
  readonly label: string;
  readonly kind: 'denied' | 'invalid' | 'download';
  readonly detail: string;
  readonly cause?: unknown;
}

/** Names an index by where it is set: its address may be a secret, and lockfiles and logs hold none. */
export function indexFault({ label, kind, detail, cause }: IndexFault): RootcellarError {
  if (kind === 'denied') {
    const what = detail === '403' ? 'these credentials may not read it' : 'it wants credentials, or others';
    return new RootcellarError('E_INDEX_DENIED', `package index (${label}): ${what} (HTTP status ${detail})`, {
      hint: 'put the login of its host into ~/.netrc, or into the address as `https://${USER}:${TOKEN}@…`, or set UV_KEYRING_PROVIDER=subprocess',
    });
  }
  if (kind === 'invalid') {
    return new RootcellarError('E_INDEX_INVALID', `package index (${label}): ${detail}`, {
      hint: 'check its address: that of a simple API often ends in `/simple`',
    });
  }
  return new RootcellarError('E_DOWNLOAD', `package index (${label}): ${detail}`, {
    hint: 'check the network, the proxy and the index settings of uv or pip, then try again',
    cause,
  });
}

/** What happened, without an address. */
export function networkFault(error: unknown): string {
  if (!(error instanceof Error)) return 'no answer';
  const inner = error.cause instanceof Error ? error.cause : error;
  const code = 'code' in inner && typeof inner.code === 'string' ? inner.code : undefined;
  if (code !== undefined && /CERT|SELF_SIGNED|UNABLE_TO/.test(code)) {
    return `its certificate is not trusted (${code}); name its authority in SSL_CERT_FILE`;
  }
  return `no answer (${code ?? inner.message.replaceAll(/\S*\d+\.\d+\.\d+\.\d+\S*/g, '…')})`;
}
