import { setTimeout } from 'node:timers/promises';
import type { Architecture } from '../base/architecture.ts';
import { shortDigest } from '../base/digest.ts';
import { RootcellarError, type ErrorCode } from '../base/rootcellar-error.ts';
import type { Image } from '../store/image-record.ts';
import { holdImage } from '../store/image-use.ts';
import { readCurrent } from '../store/images.ts';
import type { RefreshOutcome } from '../store/refresh-history.ts';
import type { Store } from '../store/store.ts';
import type { ImageSource, ServedImage, Upgrade } from './image-source.ts';
import { prepareServedImage } from './served-image.ts';
import type { ServiceWatch } from './service-watch.ts';

export interface ImagesToWatch {
  readonly store: Store;
  /** Served at once; undefined: there is none yet. */
  readonly first: Image | undefined;
  /** Whose current generation is served; undefined: only `first`, whatever comes later. */
  readonly name: string | undefined;
  readonly architecture: Architecture;
  /** Reads again what the image is made from, and builds it; undefined: there is nothing that it is made from. */
  readonly build: ((upgrade: Upgrade) => Promise<Image>) | undefined;
  readonly watch: Pick<ServiceWatch, 'noticed' | 'refreshEnded'>;
  /** Told of each image that new runs get from now on. */
  readonly onServed?: ((served: ServedImage) => void) | undefined;
  /** Between two looks. */
  readonly everyMs: number;
}

/**
 * Serves the current generation of a name: whoever switches it, by a build, a refresh or a rollback, switches the service, which
 * drops no run. Looking is one small read.
 */
export class WatchedImages implements ImageSource {
  readonly #options: ImagesToWatch;
  readonly #stop: AbortController = new AbortController();
  readonly refresh: (upgrade: Upgrade) => Promise<void>;
  readonly #built: () => Promise<void>;
  #watching: Promise<void> = Promise.resolve();
  #current: ServedImage | undefined;
  /** Of what is served: idle, too, it is not removed. */
  #letGo: () => void = () => undefined;
  #buildProblem: string | undefined;
  #lookProblem: string | undefined;

  private constructor(options: ImagesToWatch) {
    this.#options = options;
    const { ask, ended } = oneAtATime((upgrade) => this.#rebuild(upgrade));
    this.refresh = ask;
    this.#built = ended;
  }

  static async open(options: ImagesToWatch): Promise<WatchedImages> {
    const images = new WatchedImages(options);
    if (options.first !== undefined) await images.#serve(options.first);
    if (options.name !== undefined) images.#watching = images.#lookOften();
    return images;
  }

  current(): ServedImage | undefined {
    return this.#current;
  }

  problem(): string | undefined {
    return this.#buildProblem ?? this.#lookProblem;
  }

  /** Ends the watching. Resolves when it has ended, and what is being built has. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#watching;
    await this.#built();
    this.#letGo();
  }

  async #lookOften(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        await setTimeout(this.#options.everyMs, undefined, { signal, ref: false });
        await this.#look();
        this.#lookProblem = undefined;
      } catch (error) {
        if (!signal.aborted) this.#lookProblem = this.#told(error, this.#lookProblem);
      }
    }
  }

  async #look(): Promise<void> {
    const { store, name, architecture } = this.#options;
    const newest = name === undefined ? undefined : await readCurrent(store, name, architecture);
    if (newest !== undefined) await this.#serve(newest);
  }

  async #rebuild(upgrade: Upgrade): Promise<void> {
    const { build, name } = this.#options;
    if (build === undefined) return this.#look();
    const before = this.#current?.image;
    const begun = performance.now();
    const tell = (image: string | undefined, result: RefreshOutcome): void => {
      const ended = { durationMs: performance.now() - begun, endedAt: Date.now() };
      if (image !== undefined) this.#options.watch.refreshEnded({ image, result, ...ended });
    };
    try {
      const built = await build(upgrade);
      await this.#serve(built);
      this.#buildProblem = undefined;
      tell(built.name, isSame(built, before) ? 'current' : 'switched');
    } catch (error) {
      // That a service is stopped is no problem of its image.
      if (isOf(error, 'E_CANCELLED')) throw error;
      this.#buildProblem = this.#told(error, this.#buildProblem);
      tell(name ?? before?.name, isOf(error, 'E_REFRESH_KEPT') ? 'kept' : 'failed');
      throw error;
    }
  }

  async #serve(image: Image): Promise<void> {
    if (isSame(image, this.#current?.image)) return;
    const { store, watch } = this.#options;
    const letGo = await holdImage(store, image);
    const next = await prepareServedImage(store, image).catch((error: unknown) => {
      letGo();
      throw error;
    });
    // A look may have found what was just built.
    if (isSame(image, this.#current?.image)) {
      letGo();
      return;
    }
    this.#letGo();
    this.#letGo = letGo;
    const was = this.#current === undefined ? '' : `, in place of generation ${this.#current.image.generation}`;
    this.#current = next;
    const what = `image \`${image.name}\` generation ${image.generation}, ${shortDigest(image.diffId)}`;
    watch.noticed({ level: 'info', message: `${what} is served${was}` });
    this.#options.onServed?.(next);
  }

  /** A problem that stays is told once. */
  #told(error: unknown, previous: string | undefined): string {
    const message = faultText(error);
    if (message !== previous) this.#options.watch.noticed({ level: 'error', message });
    return message;
  }
}

function isOf(error: unknown, code: ErrorCode): boolean {
  return error instanceof RootcellarError && error.code === code;
}

/** With its place and what can be done, on one line. */
function faultText(error: unknown): string {
  if (!(error instanceof RootcellarError)) return error instanceof Error ? error.message : String(error);
  const { message, place, hint } = error;
  const where = place === undefined ? '' : `${place.file}:${place.line}:${place.column}: `;
  return `${where}${message}${hint === undefined ? '' : `; ${hint}`}`;
}

function isSame(image: Image, other: Image | undefined): boolean {
  return image.diffId === other?.diffId && image.generation === other.generation && image.name === other.name;
}

/**
 * Whoever asks while work is under way gets work that begins after it, because what it reads may have changed since; all who
 * ask for the same then share it.
 */
function oneAtATime(work: (upgrade: Upgrade) => Promise<void>): WorkInTurn {
  let last: Promise<void> = Promise.resolve();
  const waiting = new Map<Upgrade, Promise<void>>();
  const ask = (upgrade: Upgrade): Promise<void> => {
    const shared = waiting.get(upgrade);
    if (shared !== undefined) return shared;
    const begin = async (): Promise<void> => {
      waiting.delete(upgrade);
      await work(upgrade);
    };
    // What became of the work before is told to whoever asked for that.
    const next = last.then(begin, begin);
    waiting.set(upgrade, next);
    last = next.catch(() => undefined);
    return next;
  };
  return { ask, ended: () => last };
}

interface WorkInTurn {
  readonly ask: (upgrade: Upgrade) => Promise<void>;
  /** Resolves when what was asked for has ended, well or not. */
  readonly ended: () => Promise<void>;
}
