import { open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { request } from 'undici';
import type { Dispatcher } from 'undici';
import { isErrno } from '../base/rootcellar-error.ts';
import { openNetwork } from '../resolve/network-agent.ts';
import { readAnswer, validatorOf } from './http-answer.ts';
import type { AnswerMeaning } from './http-answer.ts';
import { splitUrl } from './url-text.ts';

/** Connections of one batch of downloads. */
export interface Client {
  readonly dispatcherFor: (url: URL) => Dispatcher;
  close(): Promise<void>;
}

export interface ByteRequest {
  readonly url: string;
  /** The first byte that is wanted. */
  readonly offset: number;
  /** `If-Range`: send the whole file when it is not this one any more. */
  readonly validator: string | undefined;
  readonly signal: AbortSignal;
}

export type ByteAnswer = Exclude<AnswerMeaning, { readonly kind: 'bytes' | 'redirect' }> | Bytes;

/** Bytes on their way. The caller reads the body at once, to its end, or destroys it. */
export interface Bytes {
  readonly kind: 'bytes';
  readonly start: number;
  readonly length: number | undefined;
  readonly validator: string | undefined;
  readonly body: Readable;
}

const IDLE_MS = 30_000;
const MOST_REDIRECTS = 10;

export interface ClientSettings {
  /** Gives proxies and authorities: see `openNetwork`. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly trustedHosts?: readonly string[] | undefined;
  readonly authorities?: readonly string[] | undefined;
}

export async function openClient({ environment, trustedHosts = [], authorities }: ClientSettings): Promise<Client> {
  const network = await openNetwork({ environment, trustedHosts, authorities, timeoutMs: IDLE_MS });
  return { dispatcherFor: network.dispatcherFor, close: network.close };
}

/** Asks for the bytes of a file. Throws what the network and the disk throw. */
export async function requestBytes(client: Client, wanted: ByteRequest): Promise<ByteAnswer> {
  const split = splitUrl(wanted.url);
  if (split === undefined) return { kind: 'refused', detail: 'it is no http:, https: or file: address' };
  if (split.url.protocol === 'file:') return readLocalFile(split.url, wanted.offset);
  return followHttp(client, { ...wanted, ...split, redirects: 0 });
}

interface HttpRequest extends Omit<ByteRequest, 'url'> {
  readonly url: URL;
  readonly authorization: string | undefined;
  readonly redirects: number;
}

async function followHttp(client: Client, wanted: HttpRequest): Promise<ByteAnswer> {
  const { url, offset, signal } = wanted;
  const { statusCode, headers, body } = await request(url, {
    dispatcher: client.dispatcherFor(url),
    headers: headersOf(wanted),
    signal,
  });
  // A body that is destroyed before its end says so by an event; whoever reads it gets the error anyway.
  body.on('error', () => undefined);
  const head = { status: statusCode, headers };
  const meaning = readAnswer(head, offset);
  if (meaning.kind === 'bytes') return { ...meaning, validator: validatorOf(head), body };
  await body.dump({ limit: 64 * 1024, signal });
  if (meaning.kind !== 'redirect') return meaning;
  if (wanted.redirects === MOST_REDIRECTS) return { kind: 'refused', detail: 'the server redirects without end' };
  const next = redirected(wanted, meaning.location);
  return next === undefined
    ? { kind: 'refused', detail: 'the server redirects to no web address' }
    : followHttp(client, next);
}

function headersOf({ offset, validator, authorization }: HttpRequest): Record<string, string> {
  return {
    'accept-encoding': 'identity',
    'user-agent': 'rootcellar',
    ...(offset > 0 ? { range: `bytes=${offset}-` } : {}),
    ...(offset > 0 && validator !== undefined ? { 'if-range': validator } : {}),
    ...(authorization === undefined ? {} : { authorization }),
  };
}

/** Credentials go to no other origin, and a server cannot point to this machine's files. */
function redirected(wanted: HttpRequest, location: string): HttpRequest | undefined {
  if (!URL.canParse(location, wanted.url.href)) return undefined;
  const split = splitUrl(new URL(location, wanted.url).href);
  if (split === undefined || split.url.protocol === 'file:') return undefined;
  const kept = split.url.origin === wanted.url.origin ? wanted.authorization : undefined;
  return { ...wanted, url: split.url, authorization: split.authorization ?? kept, redirects: wanted.redirects + 1 };
}

async function readLocalFile(url: URL, offset: number): Promise<ByteAnswer> {
  const file = await openLocalFile(url);
  if (file === undefined) return { kind: 'gone', detail: 'there is no such file' };
  const status = await file.stat();
  if (!status.isFile()) {
    await file.close();
    return { kind: 'refused', detail: 'it is no file' };
  }
  const { size } = status;
  const start = Math.min(offset, size);
  return { kind: 'bytes', start, length: size, validator: undefined, body: file.createReadStream({ start }) };
}

async function openLocalFile(url: URL): Promise<Awaited<ReturnType<typeof open>> | undefined> {
  try {
    return await open(fileURLToPath(url.href), 'r');
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) return undefined;
    throw error;
  }
}
