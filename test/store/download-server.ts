import { createServer } from 'node:http';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { onTestFinished } from 'vitest';

export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

export interface DownloadServer {
  /** `http://127.0.0.1:PORT` */
  readonly origin: string;
  /** Of the requests so far, in order. */
  readonly headers: readonly IncomingHttpHeaders[];
}

/** A server whose answers are scripted: the nth request gets the nth handler, further ones the last. */
export async function startDownloadServer(...handlers: readonly Handler[]): Promise<DownloadServer> {
  const headers: IncomingHttpHeaders[] = [];
  const server = createServer((request, response) => {
    headers.push(request.headers);
    handlers[Math.min(headers.length, handlers.length) - 1]?.(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const address = server.address();
  return { origin: `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`, headers };
}

export interface ServedRange {
  readonly etag?: string;
  /** The connection breaks after so many bytes of the body, once `arrived` says that they are there. */
  readonly breakAfter?: number;
  readonly arrived?: () => boolean;
}

/** Serves `content` with ranges, as RFC 9110 says. */
export function ranged(content: Buffer, { etag, breakAfter, arrived = () => true }: ServedRange = {}): Handler {
  return (request, response) => {
    const asked = /^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1];
    const isCurrent = request.headers['if-range'] === undefined || request.headers['if-range'] === etag;
    const start = asked !== undefined && isCurrent ? Number(asked) : 0;
    if (etag !== undefined) response.setHeader('etag', etag);
    if (start > 0) {
      response.statusCode = 206;
      response.setHeader('content-range', `bytes ${start}-${content.length - 1}/${content.length}`);
    }
    response.setHeader('content-length', content.length - start);
    if (breakAfter === undefined) {
      response.end(content.subarray(start));
      return;
    }
    const hangUp = (): void => {
      if (arrived()) response.destroy();
      else setImmediate(hangUp);
    };
    response.write(content.subarray(start, start + breakAfter), hangUp);
  };
}

/** Serves the whole, whatever is asked for, and does not say how long it is. */
export function chunked(content: Buffer): Handler {
  return (_, response) => {
    response.write(content);
    response.end();
  };
}

export function answering(status: number, headers: Readonly<Record<string, string>> = {}): Handler {
  return (_, response) => {
    response.writeHead(status, headers).end('<html>sorry</html>');
  };
}
