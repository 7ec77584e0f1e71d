import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';

/**
 * What goes wrong with one path. `truncate` promises the whole length and closes after half of it; `stall` sends the
 * headers and half of the bytes, then nothing, until the server closes; `drop` closes without an answer; `alter` flips
 * one bit in the middle; `status` answers with that status only. With `times` it goes wrong only that often.
 */
export type Fault =
  | { readonly kind: 'truncate' | 'stall' | 'drop' | 'alter'; readonly times?: number }
  | { readonly kind: 'status'; readonly status: number; readonly times?: number };

export interface ServedFile {
  readonly content: Uint8Array;
  readonly type?: string;
  /** 200 when not given. */
  readonly status?: number;
  /** `Last-Modified`, in milliseconds since 1970; with it, `If-Modified-Since` is answered. */
  readonly modified?: number;
  /** Answers with a redirect to this address instead of the content. */
  readonly location?: string;
}

/** Files over HTTP on loopback. `files` and `faults` may be changed while it runs; paths start with `/`. */
export interface FileServer extends AsyncDisposable {
  /** Without a slash at the end. */
  readonly url: string;
  readonly files: Map<string, ServedFile>;
  readonly faults: Map<string, Fault>;
  /** `METHOD /path` of all requests so far, in their order. */
  readonly requests: readonly string[];
  /** The `Authorization` headers of all requests so far, in their order; empty where there was none. */
  readonly authorizations: readonly string[];
  /** Chooses the file for a request itself, before `files` are looked at; undefined leaves it to them. */
  answer: ((path: string, headers: IncomingMessage['headers']) => ServedFile | undefined) | undefined;
  readonly close: () => Promise<void>;
}

/** Starts a server on a free port of 127.0.0.1. Close it (or hold it by `await using`) when done. */
export async function startFileServer(tls?: { readonly key: string; readonly cert: string }): Promise<FileServer> {
  const requests: string[] = [];
  const authorizations: string[] = [];
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    requests.push(`${request.method ?? ''} ${request.url ?? ''}`);
    authorizations.push(request.headers.authorization ?? '');
    serve(files, request, response);
  };
  const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  const files: FileServer = {
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    files: new Map(),
    faults: new Map(),
    requests,
    authorizations,
    answer: undefined,
    close,
    [Symbol.asyncDispose]: close,
  };
  return files;
}

function serve(server: FileServer, request: IncomingMessage, response: ServerResponse): void {
  const path = decodeURIComponent(new URL(request.url ?? '/', server.url).pathname);
  const fault = takeFault(server.faults, path);
  if (fault?.kind === 'drop') return void request.socket.destroy();
  if (fault?.kind === 'status') return void response.writeHead(fault.status).end();
  const file = server.answer?.(path, request.headers) ?? server.files.get(path);
  if (file === undefined) return void response.writeHead(404).end();
  if (file.location !== undefined) return void response.writeHead(302, { location: file.location }).end();
  if (isUnchanged(file, request.headers['if-modified-since'])) return void response.writeHead(304).end();
  const content = fault?.kind === 'alter' ? altered(file.content) : file.content;
  send(
    {
      content,
      type: file.type ?? 'application/octet-stream',
      status: file.status ?? 200,
      modified: file.modified ?? 0,
    },
    fault,
    {
      request,
      response,
    },
  );
}

function send(
  file: Required<Omit<ServedFile, 'location'>>,
  fault: Fault | undefined,
  { request, response }: { request: IncomingMessage; response: ServerResponse },
): void {
  const from = rangeStart(request.headers.range, file.content.length);
  const body = file.content.subarray(from ?? 0);
  const range =
    from === undefined ? {} : { 'content-range': `bytes ${from}-${file.content.length - 1}/${file.content.length}` };
  response.writeHead(from === undefined ? file.status : 206, {
    'content-type': file.type,
    'content-length': body.length,
    'accept-ranges': 'bytes',
    ...(file.modified === 0 ? {} : { 'last-modified': new Date(file.modified).toUTCString() }),
    ...range,
  });
  if (request.method === 'HEAD') return void response.end();
  const half = body.subarray(0, Math.floor(body.length / 2));
  if (fault?.kind === 'truncate') return void response.write(half, () => request.socket.destroy());
  if (fault?.kind === 'stall') return void response.write(half);
  response.end(body);
}

function isUnchanged({ modified }: ServedFile, since: string | undefined): boolean {
  return modified !== undefined && since !== undefined && Date.parse(since) >= modified;
}

function takeFault(faults: Map<string, Fault>, path: string): Fault | undefined {
  const fault = faults.get(path);
  if (fault?.times === undefined) return fault;
  if (fault.times <= 1) faults.delete(path);
  else faults.set(path, { ...fault, times: fault.times - 1 });
  return fault;
}

/** Of `bytes=N-` only. */
function rangeStart(range: string | undefined, length: number): number | undefined {
  const [, start] = /^bytes=(\d+)-$/.exec(range ?? '') ?? [];
  return start !== undefined && Number(start) < length ? Number(start) : undefined;
}

function altered(content: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(content);
  const middle = Math.floor(copy.length / 2);
  copy[middle] = (copy[middle] ?? 0) ^ 1;
  return copy;
}
