import type { Architecture } from '../base/architecture.ts';
import type { Json } from '../base/canonical-json.ts';
import type { Digest } from '../base/digest.ts';
import type { Epoch, ResolvedTarget, ResolverVersion } from '../resolve/resolution.ts';

/** The version of the file's own shape. */
export const LOCK_VERSION = 1;

/** Selects the exact tar, bytecode and ld.so.cache algorithms, so that an old lockfile still gives its old bytes. */
export const FORMAT_VERSION = 1;

/** `recipe.lock.json` in memory. */
export interface Lockfile {
  readonly format: number;
  readonly recipe: LockedRecipe;
  readonly epoch: Epoch;
  readonly resolvers: readonly ResolverVersion[];
  readonly targets: ReadonlyMap<Architecture, LockedTarget>;
  /** Where the architectures do not have the same, and why: a line for people each. */
  readonly differences?: readonly string[] | undefined;
  /** Seconds since 1970; where the recipe has a cooldown, no file that an index got later was taken. */
  readonly cutOff?: number | undefined;
}

export interface LockedRecipe {
  readonly name: string;
  /** Of the canonical JSON of `inputs`. */
  readonly digest: Digest;
  /** Everything in the recipe and its files that decides what the image holds; kept so that drift can be explained. */
  readonly inputs: { readonly [key: string]: Json };
}

export interface LockedTarget extends ResolvedTarget {
  /** The image's identity: sha256 of its tar. Undefined until a first build has found it out. */
  readonly diffId: Digest | undefined;
}

/** The time of an image's files. */
export function targetEpoch(lock: Lockfile, target: LockedTarget): Epoch {
  return target.epoch ?? lock.epoch;
}
