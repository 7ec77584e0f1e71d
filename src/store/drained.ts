import type { Readable } from 'node:stream';

/**
 * Gives `take` all chunks as they come. Nothing here ever waits between two: where a body is paused when its server hangs
 * up, undici 7 ends the process by an assertion that nobody can catch (nodejs/undici, issue 5360).
 */
export function drained(body: Readable, take: (chunk: Uint8Array) => 'more' | 'enough'): Promise<void> {
  return new Promise((resolve, reject) => {
    const onData = (chunk: Uint8Array): void => {
      try {
        if (take(chunk) === 'more') return;
        resolve();
      } catch (error) {
        reject(error);
      }
      body.off('data', onData).destroy();
    };
    body.on('data', onData).once('error', reject).once('close', resolve).once('end', resolve);
  });
}

/** The body as text; what is more than `most` bytes of it is left. */
export async function textOfBody(body: Readable, most: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  await drained(body, (chunk) => {
    chunks.push(chunk);
    size += chunk.length;
    return size > most ? 'enough' : 'more';
  });
  return Buffer.concat(chunks).toString('utf8');
}
