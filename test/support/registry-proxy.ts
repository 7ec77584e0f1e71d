import { once } from 'node:events';
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';

/** What a proxy before a registry does with a request; `pass`: hands it on. */
export type Judgement = 'pass' | 'cut' | { readonly status: number; readonly body?: string };

export interface RegistryProxy extends AsyncDisposable {
  readonly host: string;
}

/**
 * Stands before a registry and judges each request. `cut` ends the connection in the middle: of the request's body where it has
 * one, else of the answer's.
 */
export async function registryProxy(
  target: string,
  judge: (line: string, headers: IncomingMessage['headers']) => Judgement,
): Promise<RegistryProxy> {
  const server = createServer((incoming, answer) => {
    const judgement = judge(`${incoming.method} ${incoming.url}`, incoming.headers);
    if (judgement === 'pass' || (judgement === 'cut' && incoming.method === 'GET')) {
      hand(incoming, answer, { target, isCut: judgement === 'cut' });
      return;
    }
    if (judgement === 'cut') {
      incoming.once('data', () => incoming.destroy());
      return;
    }
    incoming.resume();
    answer.writeHead(judgement.status, { 'content-type': 'application/json' }).end(judgement.body ?? '');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    host: `127.0.0.1:${address.port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

interface Handing {
  readonly target: string;
  readonly isCut: boolean;
}

function hand(incoming: IncomingMessage, answer: ServerResponse, { target, isCut }: Handing): void {
  const [hostname, port] = target.split(':');
  // With the same host, so that locations lead here again.
  const outgoing = request({ hostname, port, method: incoming.method, path: incoming.url, headers: incoming.headers });
  outgoing.on('response', (response) => {
    answer.writeHead(response.statusCode ?? 500, response.headers);
    if (!isCut) {
      response.pipe(answer);
      return;
    }
    response.once('data', (chunk: Buffer) => {
      answer.write(chunk.subarray(0, Math.ceil(chunk.length / 2)), () => answer.destroy());
    });
  });
  outgoing.on('error', () => answer.destroy());
  incoming.pipe(outgoing);
}
