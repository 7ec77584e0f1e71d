import type { FastifyReply } from 'fastify';
import { KEEP_ALIVE, writeToClient } from './event-stream.ts';
import type { ServiceClock } from './run-desk.ts';

export interface StreamTerms {
  readonly clock: Pick<ServiceClock, 'after'>;
  /** A client that reads nothing for so long has gone. */
  readonly patienceMs: number;
  /** Between two signs of life while nothing else comes. */
  readonly signMs: number;
  /** From the first event to the last: whoever reads too slowly must not keep the place of others for ever. */
  readonly longestMs: number;
}

/** An answer that is written piece by piece. Until the first piece, the request can still be answered otherwise. */
export class ClientStream {
  readonly #reply: FastifyReply;
  readonly #terms: StreamTerms;
  #callOffs: { readonly life: () => void; readonly sign: () => void };
  #isOpen = false;
  /** Whether anything but signs of life was written. */
  #isTelling = false;

  constructor(reply: FastifyReply, terms: StreamTerms) {
    this.#reply = reply;
    this.#terms = terms;
    this.#callOffs = { life: () => undefined, sign: this.#keepAlive() };
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Resolves when more may be written, or when nobody reads any more. */
  async write(text: string): Promise<void> {
    if (!this.#isTelling) this.#startLife();
    await this.#send(text);
  }

  async #send(text: string): Promise<void> {
    this.#open();
    const { clock, patienceMs } = this.#terms;
    await writeToClient(this.#reply.raw, text, (action) => clock.after(patienceMs, action));
  }

  end(): void {
    this.#callOffs.sign();
    this.#callOffs.life();
    if (!this.#isOpen) return;
    this.#reply.raw.socket?.setTimeout(this.#terms.patienceMs);
    this.#reply.raw.end();
  }

  #startLife(): void {
    this.#isTelling = true;
    const { clock, longestMs } = this.#terms;
    this.#callOffs = { ...this.#callOffs, life: clock.after(longestMs, () => void this.#reply.raw.destroy()) };
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

  #keepAlive(): () => void {
    const { clock, signMs } = this.#terms;
    return clock.after(signMs, () => {
      this.#callOffs = { ...this.#callOffs, sign: this.#keepAlive() };
      return this.#send(KEEP_ALIVE);
    });
  }
}
