import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { CELL_PATH, runFolder } from './cell-host.ts';
import type { LaunchPlan, ResourceLimit } from './run/launch-plan.ts';
import type { ParkedCell } from './run/park-cell.ts';
import type { StockClock } from './run/cell-stock.ts';
import { startZygote, type Zygote } from './run/zygote.ts';

export interface ZygoteHomeRequest {
  /** What the zygote is made of. */
  readonly plan: () => Promise<LaunchPlan>;
  readonly clock: StockClock;
  readonly recycled?: RecycleListener | undefined;
}

/** `message`: what went wrong, where something did. */
export type RecycleListener = (reason: RecycleReason, message: string | undefined) => void;

export interface ZygoteHomeState {
  /** Of the zygote that is in use. */
  readonly forks: number;
  /** Let go for their number of forks, their age, or because one failed. */
  readonly recycled: Readonly<Record<RecycleReason, number>>;
  /** Why there is none, if there cannot be. */
  readonly failure: string | undefined;
}

export type RecycleReason = 'forks' | 'age' | 'failure';

/** What one zygote has told about itself by a fork, another does not know: the layout of its memory, for one. */
const MOST_FORKS = 1000;
const LONGEST_LIFE_MS = 15 * 60_000;
/** After one that could not be had. */
const PAUSE_MS = 5 * 60_000;

/** Has one zygote in use, which is started when it is first wanted and replaced in time. */
export class ZygoteHome {
  readonly #request: ZygoteHomeRequest;
  #current: Promise<Zygote> | undefined;
  #since = 0;
  #forks = 0;
  #failure: string | undefined;
  #failedAt = -Infinity;
  readonly #recycled: Record<RecycleReason, number> = { forks: 0, age: 0, failure: 0 };
  readonly #closing = new Set<Promise<void>>();

  constructor(request: ZygoteHomeRequest) {
    this.#request = request;
  }

  /** A parked cell whose program a zygote has forked; undefined where none can be had, and another kind of cell must do. */
  async fork(plan: LaunchPlan): Promise<ParkedCell | undefined> {
    const { now } = this.#request.clock;
    if (now() - this.#failedAt < PAUSE_MS) return undefined;
    this.#recycleOld();
    try {
      this.#current ??= this.#start();
      const zygote = await this.#current;
      this.#forks = zygote.forks() + 1;
      return await zygote.fork(plan);
    } catch (error) {
      this.#failure = error instanceof Error ? error.message : String(error);
      this.#failedAt = now();
      this.#recycle('failure');
      return undefined;
    }
  }

  state(): ZygoteHomeState {
    return { forks: this.#forks, recycled: { ...this.#recycled }, failure: this.#failure };
  }

  /** Settles when it is gone, and every cell that it has forked. */
  async close(): Promise<void> {
    this.#letGo();
    await Promise.all(this.#closing);
  }

  async #start(): Promise<Zygote> {
    this.#since = this.#request.clock.now();
    const socket = join(runFolder(), `zygote-${randomBytes(8).toString('hex')}`);
    const zygote = await startZygote({ plan: await this.#request.plan(), cellPath: CELL_PATH, socket });
    this.#failure = undefined;
    return zygote;
  }

  #recycleOld(): void {
    if (this.#current === undefined) return;
    if (this.#forks >= MOST_FORKS) this.#recycle('forks');
    else if (this.#request.clock.now() - this.#since > LONGEST_LIFE_MS) this.#recycle('age');
  }

  #recycle(reason: RecycleReason): void {
    if (this.#current === undefined) return;
    this.#recycled[reason] += 1;
    this.#request.recycled?.(reason, reason === 'failure' ? this.#failure : undefined);
    this.#letGo();
  }

  #letGo(): void {
    const current = this.#current;
    this.#current = undefined;
    this.#forks = 0;
    if (current === undefined) return;
    // One that could not be started is gone.
    const gone: Promise<void> = current.then(
      (zygote) => zygote.close(),
      () => undefined,
    );
    this.#closing.add(gone);
    void gone.finally(() => this.#closing.delete(gone));
  }
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
