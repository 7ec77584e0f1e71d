import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import { onTestFinished } from 'vitest';
import { noProgress } from '../../src/base/progress.ts';
import { parseReference } from '../../src/publish/image-reference.ts';
import { openRegistry, type Registry } from '../../src/publish/registry-client.ts';

/** A registry that answers as `answer` does, once a request has come whole, and its client. */
export async function blobServer(answer: (line: string, response: ServerResponse) => void): Promise<Registry> {
  const server = createServer((request: IncomingMessage, response) => {
    request.resume().on('end', () => answer(`${request.method} ${request.url}`, response));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const address = server.address();
  const registry = await openRegistry({
    reference: parseReference(`127.0.0.1:${typeof address === 'object' ? address?.port : 0}/a/b:1`),
    environment: {},
    credentials: { credentials: undefined, where: 'nowhere' },
    plainHttp: true,
    signal: new AbortController().signal,
    progress: noProgress,
    retryDelayMs: 1,
  });
  onTestFinished(() => registry.close());
  return registry;
}
