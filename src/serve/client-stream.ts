import type { FastifyReply } from 'fastify';
import { KEEP_ALIVE, writeToClient } from './event-stream.ts';
import type { ServiceClock } from './run-desk.ts';

/** Between two signs of life on a stream on which nothing comes: shorter than what proxies wait. */
const KEEP_ALIVE_MS = 15_000;

/** An answer that is written piece by piece. Until the first piece, the request can still be answered otherwise. */
export class ClientStream {
  readonly #reply: FastifyReply;
  readonly #clock: Pick<ServiceClock, 'after'>;
  #callOff: () => void = () => undefined;
  #isOpen = false;

  constructor(reply: FastifyReply, clock: Pick<ServiceClock, 'after'>) {
    this.#reply = reply;
    this.#clock = clock;
    this.#keepAlive();
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Resolves when more may be written, or when nobody reads any more. */
  async write(text: string): Promise<void> {
    this.#open();
    await writeToClient(this.#reply.raw, text);
  }

  end(): void {
    this.#callOff();
    if (this.#isOpen) this.#reply.raw.end();
  }

  #open(): void {
    if (this.#isOpen) return;
    this.#isOpen = true;
    this.#reply.hijack();
    const headers = Object.entries(this.#reply.getHeaders()).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, value] as const],
    );
    this.#reply.raw.writeHead(200, {
      ...Object.fromEntries(headers),
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    });
  }

  #keepAlive(): void {
    this.#callOff = this.#clock.after(KEEP_ALIVE_MS, () => {
      void this.write(KEEP_ALIVE);
      this.#keepAlive();
    });
  }
}
