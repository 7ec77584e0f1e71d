import { RootcellarError } from '../base/rootcellar-error.ts';
import type { RunRequest, RunningProgram } from '../run-program.ts';
import type { RunReport } from '../run/run-report.ts';
import type { Image } from '../store/image-record.ts';
import type { RunQueue, Turn } from './run-queue.ts';
import type { EndedRun, RunImage, RunSubject, ServiceWatch } from './service-watch.ts';

/** How a service has a program run: in a new cell, or in one that waits for it. */
export type StartProgram = (request: RunRequest) => Promise<RunningProgram>;

/** A program that somebody wants run. */
export interface RunOrder {
  readonly subject: RunSubject;
  /** Without `cancel`, which `signal` is. */
  readonly request: Omit<RunRequest, 'cancel'>;
  /** Aborted when nobody waits for the run any more. */
  readonly signal: AbortSignal;
}

export interface FinishedRun {
  readonly report: RunReport;
  /** Milliseconds that the order has waited before the program was started. */
  readonly queueMs: number;
}

export interface RunDeskParts {
  readonly start: StartProgram;
  readonly queue: RunQueue;
  readonly watch: ServiceWatch;
  readonly clock: ServiceClock;
}

export interface ServiceClock {
  /** Milliseconds, ever growing, with fractions. */
  readonly elapsed: () => number;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Calls back once, after so many milliseconds, unless it is called off by what it returns. */
  readonly after: (ms: number, action: () => void | Promise<void>) => () => void;
}

const KEPT_RUNS = 100;

/** Takes orders, has them run in turn, and tells whoever watches. Holds what runs. */
export class RunDesk {
  readonly #parts: RunDeskParts;
  readonly #open: Map<AbortController, Promise<unknown>> = new Map();
  readonly #lastRuns: EndedRun[] = [];
  #lastIsolation: RunReport['isolation'] | undefined;
  #isDraining = false;

  constructor(parts: RunDeskParts) {
    this.#parts = parts;
  }

  /** The newest first. */
  get lastRuns(): readonly EndedRun[] {
    return [...this.#lastRuns];
  }

  get lastIsolation(): RunReport['isolation'] | undefined {
    return this.#lastIsolation;
  }

  get isDraining(): boolean {
    return this.#isDraining;
  }

  /**
   * Throws E_DRAINING, E_BUSY, the signal's reason when it is aborted before the start, and what starting throws. A run that was
   * cancelled has a report that says so.
   */
  async run(order: RunOrder): Promise<FinishedRun> {
    if (this.#isDraining) {
      this.#parts.watch.requestRejected('draining', order.subject);
      throw stopping();
    }
    const controller = new AbortController();
    const follow = (): void => controller.abort(order.signal.reason);
    if (order.signal.aborted) follow();
    order.signal.addEventListener('abort', follow, { once: true });
    const done = this.#execute(order, controller.signal).finally(() => {
      this.#open.delete(controller);
      order.signal.removeEventListener('abort', follow);
    });
    this.#open.set(controller, done);
    return done;
  }

  /** Takes no more orders, and resolves when all are done; those that are not in time are cancelled. */
  async drain(withinMs: number): Promise<void> {
    this.#isDraining = true;
    const callOff = this.#parts.clock.after(withinMs, () => this.stop());
    while (this.#open.size > 0) await Promise.allSettled(this.#open.values());
    callOff();
  }

  /** Cancels all that is queued or runs, and takes no more. */
  stop(): void {
    this.#isDraining = true;
    for (const controller of this.#open.keys()) controller.abort(stopping());
  }

  async #execute({ subject, request }: RunOrder, signal: AbortSignal): Promise<FinishedRun> {
    const { start, watch, clock } = this.#parts;
    const turn = await this.#turnFor(subject, signal);
    const { queueMs } = turn;
    const startedAt = clock.elapsed();
    watch.runStarted(subject, queueMs);
    try {
      const running = await start({ ...request, cancel: signal });
      const report = await running.report;
      const runMs = clock.elapsed() - startedAt;
      this.#remember(endedRun({ subject, report, image: imageOf(request.image), queueMs, runMs }, clock), report);
      return { report, queueMs };
    } catch (error) {
      watch.requestRejected(error instanceof RootcellarError ? rejectionOf(error) : 'sandbox', subject);
      throw error;
    } finally {
      turn.release();
    }
  }

  async #turnFor(subject: RunSubject, signal: AbortSignal): Promise<Turn> {
    const { queue, watch } = this.#parts;
    watch.runQueued(subject);
    try {
      return await queue.enter(subject.keyName, signal);
    } catch (error) {
      const isFull = error instanceof RootcellarError && error.code === 'E_BUSY';
      watch.requestRejected(isFull ? 'queue_full' : this.#isDraining ? 'draining' : 'client_gone', subject);
      throw error;
    }
  }

  #remember(run: EndedRun, report: RunReport): void {
    this.#lastRuns.unshift(run);
    this.#lastRuns.splice(KEPT_RUNS);
    this.#lastIsolation = report.isolation;
    this.#parts.watch.runEnded(run);
  }
}

function stopping(): RootcellarError {
  return new RootcellarError('E_DRAINING', 'the service: is stopping', {
    hint: 'send the request to another instance, or again later',
  });
}

/** A request that only the start finds fault with, such as the name of a variable, is the client's. */
function rejectionOf({ code }: RootcellarError): 'invalid' | 'sandbox' {
  return code === 'E_USAGE' || code === 'E_POLICY' ? 'invalid' : 'sandbox';
}

function imageOf({ name, diffId, generation }: Image): RunImage {
  return { name, digest: diffId, generation };
}

interface Run {
  readonly subject: RunSubject;
  readonly report: RunReport;
  readonly image: RunImage;
  readonly queueMs: number;
  readonly runMs: number;
}

function endedRun({ subject, report, image, queueMs, runMs }: Run, clock: ServiceClock): EndedRun {
  return {
    ...subject,
    status: report.status,
    start: report.time.start,
    queueMs,
    runMs,
    totalMs: queueMs + runMs,
    denied: report.denied,
    image,
    tier: report.isolation.tier,
    endedAt: clock.now(),
  };
}
