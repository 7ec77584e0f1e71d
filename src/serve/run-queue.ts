import { RootcellarError } from '../base/rootcellar-error.ts';

/** The right to run; given back when the run is over. */
export interface Turn {
  /** Milliseconds that it was waited for. */
  readonly queueMs: number;
  readonly release: () => void;
}

export interface QueueSizes {
  /** At one time. */
  readonly workers: number;
  /** Running and waiting together. */
  readonly requests: number;
  /** Milliseconds, ever growing. */
  readonly clock: () => number;
}

interface Waiter {
  readonly since: number;
  readonly admit: (turn: Turn) => void;
  readonly refuse: (reason: Error) => void;
}

/** What a run is taken to last before any has been seen. */
const FIRST_GUESS_MS = 100;
const LONGEST_RETRY_S = 60;
/** How much the newest run counts in the average. */
const WEIGHT = 0.1;

/**
 * Lets so many run at a time and so many wait. Those who wait are let in by turns of whose they are, so that one holder of a key
 * who asks for much does not keep the others waiting.
 */
export class RunQueue {
  readonly #sizes: QueueSizes;
  /** By holder, in the order in which they come next; none is empty. */
  readonly #queues: Map<string, Waiter[]> = new Map();
  #waiting = 0;
  #running = 0;
  #averageMs = FIRST_GUESS_MS;

  constructor(sizes: QueueSizes) {
    this.#sizes = sizes;
  }

  get waiting(): number {
    return this.#waiting;
  }

  get running(): number {
    return this.#running;
  }

  /** Seconds after which it is worth trying again, at least 1. */
  get retryAfterS(): number {
    const seconds = Math.ceil(((this.#waiting + 1) * this.#averageMs) / this.#sizes.workers / 1000);
    return Math.min(LONGEST_RETRY_S, Math.max(1, seconds));
  }

  /**
   * Throws E_BUSY when no more may wait; it may also be thrown later, to the newest of the holder who has most waiting, when
   * another who has less comes to a full queue. Rejects with the signal's reason when that is aborted before.
   */
  async enter(holder: string, signal: AbortSignal): Promise<Turn> {
    signal.throwIfAborted();
    const { workers, requests } = this.#sizes;
    if (this.#running < workers && this.#waiting === 0) return this.#begin(0);
    if (this.#running + this.#waiting >= requests && !this.#makeRoom(holder)) throw tooMany();
    return this.#wait(holder, signal);
  }

  #begin(queueMs: number): Turn {
    const { clock } = this.#sizes;
    const start = clock();
    let isReleased = false;
    this.#running += 1;
    const release = (): void => {
      if (isReleased) return;
      isReleased = true;
      this.#running -= 1;
      this.#averageMs += (clock() - start - this.#averageMs) * WEIGHT;
      this.#admitNext();
    };
    return { queueMs, release };
  }

  #wait(holder: string, signal: AbortSignal): Promise<Turn> {
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        if (this.#remove(holder, waiter)) reject(reasonOf(signal));
      };
      const settled = (): void => signal.removeEventListener('abort', leave);
      const waiter: Waiter = {
        since: this.#sizes.clock(),
        admit: (turn) => {
          settled();
          resolve(turn);
        },
        refuse: (reason) => {
          settled();
          reject(reason);
        },
      };
      signal.addEventListener('abort', leave, { once: true });
      const queue = this.#queues.get(holder);
      if (queue === undefined) this.#queues.set(holder, [waiter]);
      else queue.push(waiter);
      this.#waiting += 1;
    });
  }

  #admitNext(): void {
    const [next] = this.#queues;
    if (next === undefined || this.#running >= this.#sizes.workers) return;
    const [holder, queue] = next;
    const [waiter] = queue;
    if (waiter === undefined) throw new Error('unreachable: an empty queue was kept');
    this.#remove(holder, waiter);
    // To the end: the others come first.
    if (this.#queues.delete(holder)) this.#queues.set(holder, queue);
    waiter.admit(this.#begin(this.#sizes.clock() - waiter.since));
  }

  #remove(holder: string, waiter: Waiter): boolean {
    const queue = this.#queues.get(holder) ?? [];
    const index = queue.indexOf(waiter);
    if (index < 0) return false;
    queue.splice(index, 1);
    this.#waiting -= 1;
    if (queue.length === 0) this.#queues.delete(holder);
    return true;
  }

  /** Of the holder who has most waiting, if `holder` would still have less. */
  #makeRoom(holder: string): boolean {
    const [greediest] = [...this.#queues].toSorted(([, a], [, b]) => b.length - a.length);
    const [name, queue] = greediest ?? ['', []];
    const newest = queue.at(-1);
    if (newest === undefined || queue.length <= (this.#queues.get(holder)?.length ?? 0) + 1) return false;
    this.#remove(name, newest);
    newest.refuse(tooMany());
    return true;
  }
}

function reasonOf(signal: AbortSignal): Error {
  const reason: unknown = signal.reason;
  return reason instanceof Error ? reason : new Error('the client has gone');
}

function tooMany(): RootcellarError {
  return new RootcellarError('E_BUSY', 'the service: as many runs as it takes are running and waiting', {
    hint: 'try again after the seconds that `Retry-After` says',
  });
}
