import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';

export interface SeenRequest {
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: unknown;
}

/** A server on loopback that answers each request by the next of `answers`, and all further ones by the last. */
export interface ScriptedService extends AsyncDisposable {
  readonly url: string;
  readonly seen: readonly SeenRequest[];
}

export type ScriptedAnswer = (response: ServerResponse) => void;

export async function scriptedService(...answers: readonly ScriptedAnswer[]): Promise<ScriptedService> {
  const seen: SeenRequest[] = [];
  const respond = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body: unknown = JSON.parse(await text(request));
    const answer = answers[Math.min(seen.length, answers.length - 1)];
    seen.push({ path: request.url ?? '', headers: request.headers, body });
    answer?.(response);
  };
  const server = createServer((request, response) => void respond(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    seen,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** As much of an answer as a client looks at. */
export const ANSWER = { report: { status: 'ok', exit_code: 0, stdout: '1\n', events: [] }, queue_ms: 0.25 };

export function json(
  body: unknown,
  { status = 200, headers = {} }: { readonly status?: number; readonly headers?: Record<string, string> } = {},
): ScriptedAnswer {
  return (response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(JSON.stringify(body));
  };
}

export function problem(status: number, body: object, headers: Record<string, string> = {}): ScriptedAnswer {
  const common = { type: 'about:blank', title: 'Fault', status };
  return json({ ...common, ...body }, { status, headers: { 'content-type': 'application/problem+json', ...headers } });
}

/** Tells events, and leaves the stream open. */
export function events(response: ServerResponse, ...told: readonly (readonly [name: string, data: unknown])[]): void {
  if (!response.headersSent) response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
  for (const [name, data] of told) response.write(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
}
