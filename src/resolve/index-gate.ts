import { randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { hexOf, type Digest } from '../base/digest.ts';
import { isErrno, RootcellarError } from '../base/rootcellar-error.ts';
import { normalName } from '../recipe/requirement-parts.ts';
import type { Candidates } from './candidates.ts';
import { networkFault } from './index-answer.ts';
import type { PackageIndex } from './package-index.ts';
import type { IndexFile } from './simple-page.ts';

/** What the gate lets through of one project. */
export interface GatePage extends Candidates {
  /** The index that knows the project; undefined: none, or the recipe says itself which file it is. */
  readonly label: string | undefined;
  readonly isKnown: boolean;
}

/**
 * A package index on loopback that uv and pip ask instead of all others: behind it we reach the real ones, choose the index
 * of each project, and keep back what must not be taken. So both tools see the same, and neither needs a credential.
 */
export interface IndexGate {
  /** Of its simple API. Its path holds a secret, as other users of this machine can reach the port. */
  readonly url: string;
  readonly page: (project: string) => Promise<GatePage>;
  /** Pages that were asked for, by normalised name. */
  readonly asked: ReadonlyMap<string, GatePage>;
  /** The first thing that went wrong behind it, which the tools cannot know of. */
  readonly fault: () => Error | undefined;
}

export interface GateOptions {
  readonly index: PackageIndex;
  /** Decides on the files of a project, or throws. */
  readonly judge: (project: string) => Promise<GatePage>;
  /** Where a file is that need not be fetched to be read: most of what is locked is here. */
  readonly storedFile?: ((digest: Digest) => string | undefined) | undefined;
}

export async function withIndexGate<T>(options: GateOptions, body: (gate: IndexGate) => Promise<T>): Promise<T> {
  const secret = randomBytes(16).toString('hex');
  const state: State = { ...options, secret, pages: new Map(), asked: new Map(), files: [], fault: undefined };
  const server = createServer((request, response) => {
    void answer(request, response, state);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const url = `http://127.0.0.1:${portOf(server)}/${secret}/simple`;
  try {
    return await body({ url, page: (name) => pageOf(name, state), asked: state.asked, fault: () => state.fault });
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

function portOf(server: Server): number {
  const address = server.address();
  if (typeof address === 'object' && address !== null) return address.port;
  throw new Error('unreachable: a server that listens has a port');
}

interface State extends GateOptions {
  readonly secret: string;
  readonly pages: Map<string, Promise<GatePage>>;
  readonly asked: Map<string, GatePage>;
  /** By number, which is part of their addresses. */
  readonly files: IndexFile[];
  fault: Error | undefined;
}

async function pageOf(name: string, state: State): Promise<GatePage> {
  const page = state.pages.get(name) ?? state.judge(name);
  state.pages.set(name, page);
  return await page;
}

/** A tool cannot be told what went wrong: 400 makes it give up at once, and the fault is read from the gate. */
async function answer(request: IncomingMessage, response: ServerResponse, state: State): Promise<void> {
  try {
    const path = new URL(request.url ?? '/', 'http://gate').pathname;
    const rest = path.startsWith(`/${state.secret}/`) ? path.slice(state.secret.length + 1) : '';
    const [, project] = /^\/simple\/([A-Za-z0-9._-]+)\/?$/.exec(rest) ?? [];
    const [, number] = /^\/files\/(\d+)\/[^/]+$/.exec(rest) ?? [];
    const file = number === undefined ? undefined : state.files[Number(number)];
    if (project !== undefined) await answerPage(normalName(project), response, state);
    else if (file !== undefined)
      await answerFile(request, response, { file, isMetadata: rest.endsWith('.metadata'), state });
    else response.writeHead(404).end();
  } catch (error) {
    // A tool that has heard enough hangs up: that is no fault.
    if (request.destroyed && !(error instanceof RootcellarError)) return;
    state.fault ??= error instanceof Error ? error : new Error('unreachable: no error was thrown', { cause: error });
    if (!response.headersSent) response.writeHead(400);
    response.end();
  }
}

async function answerPage(name: string, response: ServerResponse, state: State): Promise<void> {
  const page = await pageOf(name, state);
  state.asked.set(name, page);
  if (!page.isKnown) {
    response.writeHead(404).end();
    return;
  }
  const files = page.usable.map((file) => fileJson(file, state));
  const content = JSON.stringify({ meta: { 'api-version': '1.0' }, name, files });
  response.writeHead(200, { 'content-type': 'application/vnd.pypi.simple.v1+json' }).end(content);
}

function fileJson(file: IndexFile, state: State): object {
  const known = state.files.indexOf(file);
  const number = known < 0 ? state.files.push(file) - 1 : known;
  return {
    filename: file.file,
    url: `../../files/${number}/${encodeURIComponent(file.file)}`,
    hashes: file.digest === undefined ? {} : { sha256: hexOf(file.digest) },
    // A file that is here is read itself, part by part, so that nothing is asked of the network for it.
    // Not by its older name too: pip 23.0 ends at one that is no text, https://github.com/pypa/pip/issues/12042.
    'core-metadata': file.hasMetadata && storedPath(file, state) === undefined,
    yanked: false,
  };
}

function storedPath({ url, digest }: IndexFile, { storedFile }: State): string | undefined {
  if (url.startsWith('file:')) return fileURLToPath(url);
  return digest === undefined ? undefined : storedFile?.(digest);
}

interface Wanted {
  readonly file: IndexFile;
  readonly isMetadata: boolean;
  readonly state: State;
}

async function answerFile(request: IncomingMessage, response: ServerResponse, wanted: Wanted): Promise<void> {
  const { file, isMetadata, state } = wanted;
  const path = isMetadata ? undefined : storedPath(file, state);
  if (path !== undefined) {
    await answerLocal(path, request, response);
    return;
  }
  const url = new URL(file.url);
  if (isMetadata) url.pathname += '.metadata';
  const { range } = request.headers;
  const method = request.method === 'HEAD' ? 'HEAD' : 'GET';
  const headers = range === undefined ? {} : { range };
  const found = await state.index.client.send({ url: url.href, method, headers }).catch((error: unknown) => {
    throw error instanceof RootcellarError ? error : unavailable(file, networkFault(error));
  });
  if (![200, 206, 416].includes(found.status)) {
    await found.body.dump();
    throw unavailable(file, `HTTP status ${found.status}`);
  }
  const kept = ['content-length', 'content-range', 'accept-ranges', 'content-type'].flatMap((name) => {
    const value = found.headers[name];
    return typeof value === 'string' ? [[name, value]] : [];
  });
  response.writeHead(found.status, Object.fromEntries(kept));
  // Whatever ends first destroys the other: what the body says itself is the server's doing, not the tool's.
  let broken: unknown;
  found.body.once('error', (error: Error) => (broken = isHangUp(error) ? undefined : error));
  await pipeline(found.body, response).catch((error: unknown) => {
    throw broken === undefined ? error : unavailable(file, networkFault(broken));
  });
}

function isHangUp(error: Error): boolean {
  return isErrno(error, 'ERR_STREAM_PREMATURE_CLOSE') || error.name === 'AbortError';
}

async function answerLocal(path: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { size } = await stat(path);
  const [, from = '', to = ''] = /^bytes=(\d*)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
  const start = from === '' ? (to === '' ? 0 : Math.max(0, size - Number(to))) : Number(from);
  const end = from === '' || to === '' ? size - 1 : Math.min(Number(to), size - 1);
  const isPart = request.headers.range !== undefined && start <= end;
  response.writeHead(isPart ? 206 : 200, {
    'accept-ranges': 'bytes',
    'content-length': isPart ? end - start + 1 : size,
    ...(isPart ? { 'content-range': `bytes ${start}-${end}/${size}` } : {}),
  });
  if (request.method === 'HEAD') response.end();
  else await pipeline(createReadStream(path, isPart ? { start, end } : {}), response);
}

function unavailable({ file }: IndexFile, detail: string): RootcellarError {
  return new RootcellarError('E_DOWNLOAD', `python package file \`${file}\`: ${detail}`, {
    hint: 'check the address, the network and the index settings of uv or pip, then try again',
  });
}
