import { RootcellarError } from '../base/rootcellar-error.ts';

/** What a client was answered, whole. */
export interface KeptAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
  /** For the header `Server-Timing`. */
  readonly timing: string;
  /** Whether a program was run: only then is the answer that of the key. Else the next request with it tries again. */
  readonly isFinal: boolean;
}

export interface KeptRequest {
  /** Whose, and the `Idempotency-Key`. */
  readonly key: string;
  /** Of what was asked for. */
  readonly digest: string;
}

export interface KeptLimits {
  readonly entries: number;
  /** Characters of all bodies together. */
  readonly size: number;
  readonly lifetimeMs: number;
  readonly clock: () => number;
}

interface Entry {
  readonly digest: string;
  readonly answer: Promise<KeptAnswer>;
  /** Undefined while it is under way. */
  size: number | undefined;
  since: number;
}

/**
 * Answers by `Idempotency-Key`: for the same key and request the work is done once. What is oldest goes first when there is too
 * much; work under way never does. Source: draft-ietf-httpapi-idempotency-key-header.
 */
export class KeptAnswers {
  readonly #limits: KeptLimits;
  /** The oldest first. */
  readonly #entries: Map<string, Entry> = new Map();
  #size = 0;

  constructor(limits: KeptLimits) {
    this.#limits = limits;
  }

  /** Throws E_IDEMPOTENCY for a key of another request, or whose answer was too large to keep. */
  async answer({ key, digest }: KeptRequest, work: () => Promise<KeptAnswer>): Promise<KeptAnswer> {
    this.#expire();
    const known = this.#entries.get(key);
    if (known === undefined) return this.#begin({ key, digest }, work);
    if (known.digest !== digest) throw conflict('was used for another request', 'make a new key for each request');
    return known.answer;
  }

  async #begin({ key, digest }: KeptRequest, work: () => Promise<KeptAnswer>): Promise<KeptAnswer> {
    const answer = work();
    const entry: Entry = { digest, answer, size: undefined, since: this.#limits.clock() };
    this.#entries.set(key, entry);
    try {
      const done = await answer;
      if (done.isFinal) this.#keep(key, entry, done);
      else this.#entries.delete(key);
      return done;
    } catch (error) {
      this.#entries.delete(key);
      throw error;
    }
  }

  #keep(key: string, entry: Entry, { body }: KeptAnswer): void {
    const isLarge = body.length > this.#limits.size / 4;
    const kept = isLarge ? Promise.reject<KeptAnswer>(tooLarge()) : entry.answer;
    // Told to whoever asks for it, if anybody does.
    kept.catch(() => undefined);
    const size = isLarge ? 0 : body.length;
    this.#size += size;
    this.#entries.delete(key);
    this.#entries.set(key, { ...entry, answer: kept, size, since: this.#limits.clock() });
    for (const [oldest, { size: freed }] of this.#entries) {
      if (this.#size <= this.#limits.size && this.#entries.size <= this.#limits.entries) break;
      if (freed !== undefined) this.#drop(oldest, freed);
    }
  }

  #expire(): void {
    const { clock, lifetimeMs } = this.#limits;
    for (const [key, { size, since }] of this.#entries) {
      if (size !== undefined && clock() - since > lifetimeMs) this.#drop(key, size);
    }
  }

  #drop(key: string, size: number): void {
    this.#entries.delete(key);
    this.#size -= size;
  }
}

function tooLarge(): RootcellarError {
  return conflict('has been answered, with more than is kept', 'ask for less output, or make a new key');
}

function conflict(fault: string, hint: string): RootcellarError {
  return new RootcellarError('E_IDEMPOTENCY', `\`Idempotency-Key\`: ${fault}`, { hint });
}
