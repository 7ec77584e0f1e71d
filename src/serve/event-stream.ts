import type { ServerResponse } from 'node:http';
import type { StreamedOutput, StreamEvents } from './run-body.ts';

/** One server-sent event. Source: WHATWG HTML, "Server-sent events". JSON has no line breaks in it. */
export function eventText<Name extends keyof StreamEvents>(name: Name, data: StreamEvents[Name]): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}

/** Keeps proxies from closing a stream on which nothing comes. */
export const KEEP_ALIVE = ':\n\n';

/**
 * Writes, and resolves when more may be written: so that nothing gathers here when a client reads slower than a program prints.
 * Resolves too when the client has gone; one that reads nothing until `giveUp` calls back is taken to have.
 */
export async function writeToClient(
  response: ServerResponse,
  text: string,
  giveUp: (action: () => void) => () => void,
): Promise<void> {
  if (response.destroyed || response.write(text)) return;
  await new Promise<void>((resolve) => {
    const callOff = giveUp(() => response.destroy());
    const done = (): void => {
      callOff();
      response.off('drain', done);
      response.off('close', done);
      resolve();
    };
    response.on('drain', done);
    response.on('close', done);
  });
}

/** Cuts a stream of bytes into pieces that can be told as text, without splitting a character. */
export class OutputPieces {
  #rest: Buffer = Buffer.alloc(0);

  /** What can be told of the bytes that have come so far; undefined: only the beginning of a character. */
  next(bytes: Uint8Array): StreamedOutput | undefined {
    const all = Buffer.concat([this.#rest, bytes]);
    const end = all.length - splitLength(all);
    this.#rest = Buffer.from(all.subarray(end));
    return end === 0 ? undefined : piece(all.subarray(0, end));
  }

  /** What was kept back, when nothing more comes. */
  last(): StreamedOutput | undefined {
    const rest = this.#rest;
    this.#rest = Buffer.alloc(0);
    return rest.length === 0 ? undefined : piece(rest);
  }
}

function piece(bytes: Buffer): StreamedOutput {
  const text = bytes.toString('utf8');
  return Buffer.from(text, 'utf8').equals(bytes) ? { text } : { base64: bytes.toString('base64') };
}

/** Bytes at the end that begin a character, and do not end it. */
function splitLength(bytes: Buffer): number {
  for (let length = 1; length <= Math.min(3, bytes.length); length += 1) {
    const byte = bytes[bytes.length - length] ?? 0;
    if (byte < 0x80) return 0;
    if (byte < 0xc0) continue;
    const whole = byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
    return whole > length ? length : 0;
  }
  return 0;
}
