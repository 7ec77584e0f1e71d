/** Something that waits to be used once: a parked cell, with what belongs to it. */
export interface Stocked {
  /** Settles when it can be taken (true), or has ended before that (false). */
  readonly ready: Promise<boolean>;
  readonly isWaiting: () => boolean;
  /** Settles when it has ended, whoever has used it. */
  readonly gone: Promise<unknown>;
  /** Ends it. Settles when nothing of it is left, with the reason if it had ended by itself. */
  readonly discard: () => Promise<string | undefined>;
}

export interface StockRequest<T extends Stocked> {
  /** How many wait when nobody takes any. */
  readonly size: number;
  /** How many are made at the same time. */
  readonly makers: number;
  readonly make: () => Promise<T>;
  /** Milliseconds after which one that was not used is replaced. */
  readonly longestWaitMs: number;
  readonly clock: StockClock;
}

/** Time, as an argument. */
export interface StockClock {
  /** Milliseconds that never go back. */
  readonly now: () => number;
  readonly wait: (ms: number, signal: AbortSignal) => Promise<void>;
}

export interface StockState {
  readonly waiting: number;
  readonly making: number;
  readonly size: number;
  /** How many could not be made in a row; the reason is that of the last. */
  readonly failures: number;
  readonly lastFailure: string | undefined;
}

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 60_000;
/**
 * To make one takes longer than a short run, on processors that the run could use: and whoever moves a process between control groups
 * holds up all that begin and end.
 */
const REST_MS = 15;
/** What dies sooner than this could not be had: else it would be made and die without end. */
const SHORT_LIFE_MS = 1000;

interface Waiting {
  readonly since: number;
  /** Ends the wait for it to be too old. */
  readonly taken: AbortController;
}

/**
 * Keeps some cells waiting. One that dies, or has waited too long, is replaced; when they cannot be made, the pauses between
 * attempts grow, and whoever wants one does without.
 */
export class CellStock<T extends Stocked> {
  readonly #request: StockRequest<T>;
  readonly #waiting = new Map<T, Waiting>();
  readonly #closing = new AbortController();
  /** What is being made or ended. */
  readonly #work = new Set<Promise<void>>();
  #making = 0;
  #failures = 0;
  #lastFailure: string | undefined;
  #isPausing = false;
  #isToRefill = false;
  #isToFill = false;
  #lastTaken = -Infinity;
  #listeners: readonly (() => void)[] = [];

  constructor(request: StockRequest<T>) {
    this.#request = request;
  }

  /**
   * One that waits, which is the taker's now; undefined when there is none. Another is made in its place: at once where less than half of
   * them are left, else when none has been taken for a moment.
   */
  take(): T | undefined {
    this.#lastTaken = this.#request.clock.now();
    void this.#fillLater();
    for (const stocked of this.#waiting.keys()) {
      this.#forget(stocked);
      if (stocked.isWaiting()) {
        void this.#refillSoon();
        return stocked;
      }
      this.#dismiss(stocked);
    }
    void this.#refillSoon();
    return undefined;
  }

  /** Whoever has taken one goes first. */
  async #refillSoon(): Promise<void> {
    if (this.#isToRefill) return;
    this.#isToRefill = true;
    await this.#request.clock.wait(0, this.#closing.signal);
    this.#isToRefill = false;
    this.#refill();
  }

  async #fillLater(): Promise<void> {
    if (this.#isToFill) return;
    this.#isToFill = true;
    const { clock } = this.#request;
    while (this.#isTaken() && !this.#closing.signal.aborted) {
      await clock.wait(this.#lastTaken + REST_MS - clock.now(), this.#closing.signal);
    }
    this.#isToFill = false;
    this.#refill();
  }

  /** Whether one was taken a moment ago. */
  #isTaken(): boolean {
    return this.#request.clock.now() < this.#lastTaken + REST_MS;
  }

  /** Settles when as many wait as should, or one could not be made. */
  async filled(): Promise<void> {
    this.#refill();
    if (this.#isFilled()) return;
    await new Promise<void>((resolve) => {
      this.#listeners = [...this.#listeners, resolve];
    });
  }

  state(): StockState {
    const { size } = this.#request;
    const [making, failures, lastFailure] = [this.#making, this.#failures, this.#lastFailure];
    return { waiting: this.#waiting.size, making, size, failures, lastFailure };
  }

  /** Settles when all that waited, and all that were being made, are gone. */
  async close(): Promise<void> {
    this.#closing.abort();
    for (const stocked of this.#waiting.keys()) {
      this.#forget(stocked);
      this.#dismiss(stocked);
    }
    this.#tell();
    while (this.#work.size > 0) await Promise.all(this.#work);
  }

  #isFilled(): boolean {
    return this.#waiting.size >= this.#request.size || this.#failures > 0 || this.#closing.signal.aborted;
  }

  #refill(): void {
    const { size, makers } = this.#request;
    if (this.#isPausing || this.#closing.signal.aborted) return;
    const most = this.#isTaken() ? Math.ceil(size / 2) : size;
    const wanted = Math.min(makers, most - this.#waiting.size) - this.#making;
    for (let i = 0; i < wanted; i += 1) this.#follow(this.#makeOne());
  }

  async #makeOne(): Promise<void> {
    this.#making += 1;
    try {
      const made = await this.#request.make();
      const isReady = await made.ready;
      if (isReady) this.#accept(made);
      else this.#failed((await made.discard()) ?? 'it ended before it was ready');
    } catch (error) {
      this.#failed(reasonOf(error));
    }
    this.#making -= 1;
    this.#refill();
    if (this.#isFilled()) this.#tell();
  }

  #accept(made: T): void {
    this.#failures = 0;
    this.#lastFailure = undefined;
    if (this.#closing.signal.aborted) {
      this.#dismiss(made);
      return;
    }
    const { clock, longestWaitMs } = this.#request;
    const waiting = { since: clock.now(), taken: new AbortController() };
    this.#waiting.set(made, waiting);
    const replace = (): void => {
      if (!this.#forget(made)) return;
      if (clock.now() < waiting.since + SHORT_LIFE_MS) this.#failed('it ended as soon as it was ready');
      this.#dismiss(made);
      this.#refill();
    };
    made.gone.then(replace, replace);
    clock.wait(longestWaitMs, waiting.taken.signal).then(replace, replace);
  }

  /** False when it is not among those that wait any more. */
  #forget(stocked: T): boolean {
    this.#waiting.get(stocked)?.taken.abort();
    return this.#waiting.delete(stocked);
  }

  /** Nobody waits for it to be gone; what goes wrong is told by `state`. */
  #dismiss(stocked: T): void {
    const ended = stocked.discard().catch((error: unknown) => {
      this.#lastFailure = reasonOf(error);
    });
    this.#follow(ended.then(() => undefined));
  }

  /** Of work that does not fail. */
  #follow(work: Promise<void>): void {
    this.#work.add(work);
    void work.then(() => this.#work.delete(work));
  }

  #failed(reason: string): void {
    this.#failures += 1;
    this.#lastFailure = reason;
    if (!this.#isPausing) void this.#pause();
  }

  async #pause(): Promise<void> {
    const ms = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(this.#failures - 1, 10));
    this.#isPausing = true;
    await this.#request.clock.wait(ms, this.#closing.signal);
    this.#isPausing = false;
    this.#refill();
  }

  #tell(): void {
    const told = this.#listeners;
    this.#listeners = [];
    for (const tell of told) tell();
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
