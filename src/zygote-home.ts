import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { RootcellarError } from './base/rootcellar-error.ts';
import { CELL_PATH, runFolder } from './cell-host.ts';
import type { LaunchPlan, ResourceLimit } from './run/launch-plan.ts';
import type { ParkedCell } from './run/park-cell.ts';
import type { StockClock } from './run/cell-stock.ts';
import { SOCKET_PREFIX, startZygote, type Zygote } from './run/zygote.ts';

export interface ZygoteHomeRequest {
  /** What the zygote is made of. */
  readonly plan: () => Promise<LaunchPlan>;
  readonly clock: StockClock;
  readonly recycled?: RecycleListener | undefined;
  /** How many cells one zygote forks before another takes its place; 1000 when undefined. */
  readonly mostForks?: number | undefined;
}

/** `message`: what went wrong, where something did. */
export type RecycleListener = (reason: RecycleReason, message: string | undefined) => void;

export interface ZygoteHomeState {
  /** Of the zygote that is in use. */
  readonly forks: number;
  /** Let go for their number of forks, their age, or because one failed. */
  readonly recycled: Readonly<Record<RecycleReason, number>>;
  /** Why the last one could not be had or failed, as long as no other has forked anything. */
  readonly failure: string | undefined;
}

export type RecycleReason = 'forks' | 'age' | 'failure';

/** What one zygote has told about itself by a fork, another does not know: the layout of its memory, for one. */
const MOST_FORKS = 1000;
const LONGEST_LIFE_MS = 15 * 60_000;
/** After one that could not be had: the same imports will most often do the same. */
const LONGEST_PAUSE_MS = 5 * 60_000;
/** After one that had been there; each that fails in a row makes it four times as long. */
const FIRST_PAUSE_MS = 1000;
/** A fork takes milliseconds. One that takes so long may never be done, if it is up to a package of the image. */
const LONGEST_FORK_MS = 10_000;

/** Has one zygote in use, which is started when it is first wanted and replaced in time. */
export class ZygoteHome {
  readonly #request: ZygoteHomeRequest;
  #current: Promise<Zygote> | undefined;
  #hasForked = false;
  #since = 0;
  #forks = 0;
  #failure: string | undefined;
  #failures = 0;
  #pausesUntil = -Infinity;
  readonly #recycled: Record<RecycleReason, number> = { forks: 0, age: 0, failure: 0 };
  readonly #closing = new Set<Promise<void>>();

  constructor(request: ZygoteHomeRequest) {
    this.#request = request;
  }

  /** A parked cell that is ready; undefined where a zygote gives none, and another kind of cell must do. */
  async fork(plan: LaunchPlan): Promise<ParkedCell | undefined> {
    if (this.#request.clock.now() < this.#pausesUntil) return undefined;
    this.#recycleOld();
    this.#current ??= this.#start();
    const current = this.#current;
    try {
      const cell = await this.#forkBy(await current, plan);
      if (current !== this.#current) return cell;
      this.#hasForked = true;
      this.#failures = 0;
      this.#failure = undefined;
      return cell;
    } catch (error) {
      this.#failed(current, error);
      return undefined;
    }
  }

  /** Whether a zygote is there that has forked before, so that whoever is in haste may ask it. */
  isProven(): boolean {
    return this.#hasForked;
  }

  state(): ZygoteHomeState {
    return { forks: this.#forks, recycled: { ...this.#recycled }, failure: this.#failure };
  }

  /** Settles when it is gone, and every cell that it has forked. */
  async close(): Promise<void> {
    this.#pausesUntil = Infinity;
    this.#letGo();
    await Promise.all(this.#closing);
  }

  async #start(): Promise<Zygote> {
    this.#since = this.#request.clock.now();
    const socket = join(runFolder(), `${SOCKET_PREFIX}${randomBytes(8).toString('hex')}`);
    return startZygote({ plan: await this.#request.plan(), cellPath: CELL_PATH, socket });
  }

  /** Throws what is wrong with a cell that does not become ready. */
  async #forkBy(zygote: Zygote, plan: LaunchPlan): Promise<ParkedCell> {
    this.#forks = zygote.forks() + 1;
    const cell = await zygote.fork(plan);
    const late = new AbortController();
    const isReady = await Promise.race([
      cell.ready,
      this.#request.clock.wait(LONGEST_FORK_MS, late.signal).then(() => false),
    ]);
    late.abort();
    if (isReady) return cell;
    const { failure } = (await cell.discard()).facts;
    const why = failure === undefined ? 'it took too long' : `the step \`${failure.step}\` failed`;
    throw new RootcellarError('E_SANDBOX', `a zygote: has forked nothing (${why})`);
  }

  /** Of those who wait for the same zygote, the first tells. */
  #failed(zygote: Promise<Zygote>, error: unknown): void {
    if (this.#current !== zygote) return;
    const { clock } = this.#request;
    const pause = this.#hasForked ? FIRST_PAUSE_MS * 4 ** Math.min(this.#failures, 5) : LONGEST_PAUSE_MS;
    this.#pausesUntil = Math.max(this.#pausesUntil, clock.now() + Math.min(pause, LONGEST_PAUSE_MS));
    this.#failures += 1;
    this.#failure = messageOf(error);
    this.#recycle('failure');
  }

  #recycleOld(): void {
    if (this.#current === undefined) return;
    if (this.#forks >= (this.#request.mostForks ?? MOST_FORKS)) this.#recycle('forks');
    else if (this.#request.clock.now() - this.#since > LONGEST_LIFE_MS) this.#recycle('age');
  }

  #recycle(reason: RecycleReason): void {
    this.#recycled[reason] += 1;
    this.#request.recycled?.(reason, reason === 'failure' ? this.#failure : undefined);
    this.#letGo();
  }

  #letGo(): void {
    const current = this.#current;
    this.#current = undefined;
    this.#hasForked = false;
    this.#forks = 0;
    if (current === undefined) return;
    // One that could not be started is gone.
    const ended = current.then(
      (zygote) => zygote.close(),
      () => undefined,
    );
    const gone: Promise<void> = ended.catch((error: unknown) => {
      this.#failure = messageOf(error);
    });
    this.#closing.add(gone);
    void gone.finally(() => this.#closing.delete(gone));
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** More descriptors and processes than a program has, for what comes and goes; and no end of processor time, which is spent on every run. */
export function zygoteLimits(limits: readonly ResourceLimit[]): readonly ResourceLimit[] {
  const own = new Map([
    ['openFiles', ZYGOTE_FILES],
    ['processes', ZYGOTE_PROCESSES],
  ]);
  return limits.flatMap(({ resource, soft, hard }) => {
    const most = own.get(resource);
    if (resource === 'cpu') return [];
    return [{ resource, soft: most ?? soft, hard: most ?? hard }];
  });
}

const ZYGOTE_FILES = 4096;
/** Those of its user: the first processes of all its cells, too. Its control group limits its own. */
const ZYGOTE_PROCESSES = 4096;
