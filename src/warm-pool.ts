import { performance } from 'node:perf_hooks';
import { setTimeout } from 'node:timers/promises';
import { isErrno } from './base/rootcellar-error.ts';
import type { Digest } from './base/digest.ts';
import { cellHost } from './cell-host.ts';
import { forkRun, hasZygote, parkRun, zygotePlan, type ParkedRun, type StartedJob } from './parked-run.ts';
import type { PipelineContext } from './pipeline-context.ts';
import { CellStock, type StockClock, type StockState } from './run/cell-stock.ts';
import type { ForwardedSignal } from './run/launch-cell.ts';
import type { ProgramFile } from './run/launch-plan.ts';
import { startProgram, type RunningProgram, type RunRequest } from './run-program.ts';
import { readManifest, type ImageManifest } from './store/image-manifest.ts';
import type { Image } from './store/image-record.ts';
import { warmKind, warmProgram, type WarmKind } from './warm-kind.ts';
import { ZygoteHome, type RecycleListener, type ZygoteHomeState } from './zygote-home.ts';

export interface WarmPoolSettings {
  /** Parked cells of each kind; 0: every run gets a cell of its own. */
  readonly size: number;
  /** Kinds of which cells are kept; of more, the one that was not wanted for the longest time goes. */
  readonly kinds: number;
  /** Cells of one kind that are made at the same time. */
  readonly makers: number;
  /** Whether Python's cells may be forked by a zygote; else each starts an interpreter of its own, with a memory layout of its own. */
  readonly zygotes: boolean;
  /** Told when a zygote is let go; with what went wrong, if that is why. */
  readonly recycled?: RecycleListener | undefined;
  /** How many cells one zygote forks before another takes its place; 1000 when undefined. */
  readonly mostForks?: number | undefined;
}

/** What is known of the cells that wait for one kind of runs. */
export interface PoolKindState extends StockState {
  readonly image: { readonly name: string; readonly digest: Digest };
  readonly language: WarmKind['language'];
  readonly modules: readonly string[];
  /** Undefined where interpreters are started for each cell. */
  readonly zygote: ZygoteHomeState | undefined;
}

/** Longer than any pause in use, and short enough for what a machine changes, such as its resolver. */
const LONGEST_WAIT_MS = 30 * 60_000;

interface Kept {
  readonly kind: WarmKind;
  readonly stock: CellStock<ParkedRun>;
  readonly zygotes: ZygoteHome | undefined;
}

/**
 * Keeps cells parked for the kinds of runs that there are. Each is for one run. Nothing waits in tier D, where only
 * Landlock stands between cells of one user.
 */
export class WarmPool {
  readonly #context: () => PipelineContext;
  readonly #settings: WarmPoolSettings;
  /** By key, the one that was wanted last at the end. */
  readonly #kept = new Map<string, Kept>();
  readonly #manifests = new WeakMap<object, ImageManifest>();
  /** Stocks of kinds that are not kept any more. */
  readonly #closing = new Set<Promise<void>>();
  #isOpen = true;

  /** `context` is asked for each run, with the time that it is then. */
  constructor(context: () => PipelineContext, settings: WarmPoolSettings) {
    this.#context = context;
    this.#settings = settings;
  }

  /** As `startProgram`: in a cell that waits, if there is one for such a run, else in one of its own. */
  async start(request: RunRequest): Promise<RunningProgram> {
    const file = warmProgram(request);
    const kept = file === undefined ? undefined : await this.#keptFor(request, file);
    const waiting = kept?.stock.take();
    const how = waiting === undefined ? 'forked' : 'warm';
    const cell = waiting ?? (await this.#forked(kept));
    if (file === undefined || cell === undefined) return this.#startCold(request);
    const started = await begun(cell, () => cell.start(request, file, how));
    return started === undefined ? this.#startCold(request) : this.#followed(started, request);
  }

  /** Sees to it that cells wait for runs like this; settles when they do, or cannot be made. */
  async prepare(request: RunRequest): Promise<void> {
    const file = warmProgram(request);
    const kept = file === undefined ? undefined : await this.#keptFor(request, file);
    await kept?.stock.filled();
  }

  /** Lets go of the cells of all other images; runs go on. */
  async keepOnly(images: ReadonlySet<Digest>): Promise<void> {
    const others = [...this.#kept].filter(([, { kind }]) => !images.has(kind.request.image.diffId));
    await Promise.all(others.map(([key, kept]) => this.#drop(key, kept)));
  }

  state(): readonly PoolKindState[] {
    return [...this.#kept.values()].map(stateOf);
  }

  /** Settles when no cell waits any more. Runs go on, and later ones get cells of their own. */
  async close(): Promise<void> {
    this.#isOpen = false;
    await this.keepOnly(new Set());
    await Promise.all(this.#closing);
  }

  /** Where none waits, one that a zygote makes at once; undefined where there is none of which that is to be expected. */
  async #forked(kept: Kept | undefined): Promise<ParkedRun | undefined> {
    if (kept?.zygotes?.isProven() !== true) return undefined;
    return forkRun(kept.kind, kept.zygotes, this.#context());
  }

  #startCold(request: RunRequest): Promise<RunningProgram> {
    return startProgram(request, this.#context());
  }

  /** A run that its cell could not begin any more gets one of its own: others may be as dead. */
  #followed(started: StartedJob, request: RunRequest): RunningProgram {
    let current: Pick<RunningProgram, 'facts' | 'forward'> = started;
    let isSignalled = false;
    const report = started.report.then(async (told) => {
      if (told !== undefined) return told;
      // A signal before a program runs cancels its run.
      const again = await this.#startCold(isSignalled ? { ...request, cancel: AbortSignal.abort() } : request);
      current = again;
      return again.report;
    });
    const facts = async (): ReturnType<RunningProgram['facts']> => {
      await report;
      return current.facts();
    };
    const forward = (signal: ForwardedSignal): void => {
      isSignalled = true;
      current.forward(signal);
    };
    return { report, facts, forward };
  }

  async #keptFor(request: RunRequest, file: ProgramFile): Promise<Kept | undefined> {
    const manifest = this.#manifestOf(request.image);
    const kind = warmKind(request, file, manifest);
    if (!this.#isOpen || kind === undefined || this.#settings.size === 0) return undefined;
    const { tier } = await cellHost(request.minimumTier ?? manifest.sandbox.minimumTier);
    const zygotes = this.#kept.has(kind.key) ? undefined : await this.#zygotesFor(kind);
    // Also, it may have been closed meanwhile.
    if (tier === 'D' || !this.#isOpen) return undefined;
    const kept = this.#kept.get(kind.key) ?? this.#newKept(kind, zygotes);
    this.#kept.delete(kind.key);
    this.#kept.set(kind.key, kept);
    const [oldest] = this.#kept;
    if (oldest !== undefined && this.#kept.size > this.#settings.kinds) void this.#drop(...oldest);
    return kept;
  }

  #manifestOf(image: Image): ImageManifest {
    const manifest = this.#manifests.get(image) ?? readManifest(image.manifest);
    this.#manifests.set(image, manifest);
    return manifest;
  }

  async #zygotesFor(kind: WarmKind): Promise<ZygoteHome | undefined> {
    if (!this.#settings.zygotes || !(await hasZygote(kind, this.#context()))) return undefined;
    return new ZygoteHome({
      plan: () => zygotePlan(kind, this.#context()),
      clock: CLOCK,
      recycled: this.#settings.recycled,
      mostForks: this.#settings.mostForks,
    });
  }

  #newKept(kind: WarmKind, zygotes: ZygoteHome | undefined): Kept {
    const { size, makers } = this.#settings;
    const make = (): Promise<ParkedRun> => parkRun(kind, zygotes, this.#context());
    const stock = new CellStock({ size, makers, make, clock: CLOCK, longestWaitMs: LONGEST_WAIT_MS });
    return { kind, stock, zygotes };
  }

  #drop(key: string, { stock, zygotes }: Kept): Promise<void> {
    this.#kept.delete(key);
    // Its zygote is gone when its last run is over: nobody waits for that.
    const closing = stock.close().finally(() => {
      this.#closing.delete(closing);
      void zygotes?.close();
    });
    this.#closing.add(closing);
    return closing;
  }
}

/** A cell that is not used after all is not kept. */
async function begun<T>(cell: ParkedRun, begin: () => T | undefined): Promise<T | undefined> {
  let started: T | undefined;
  try {
    started = begin();
    return started;
  } finally {
    if (started === undefined) await cell.discard();
  }
}

function stateOf({ kind, stock, zygotes }: Kept): PoolKindState {
  const { name, diffId } = kind.request.image;
  return {
    image: { name, digest: diffId },
    language: kind.language,
    modules: kind.modules,
    ...stock.state(),
    zygote: zygotes?.state(),
  };
}

const CLOCK: StockClock = {
  now: () => performance.now(),
  wait: async (ms, signal) => {
    try {
      await setTimeout(ms, undefined, { signal, ref: false });
    } catch (error) {
      if (!isErrno(error, 'ABORT_ERR')) throw error;
    }
  },
};
