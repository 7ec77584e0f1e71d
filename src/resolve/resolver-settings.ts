import type { Architecture } from '../base/architecture.ts';
import type { Digest } from '../base/digest.ts';
import type { Progress } from '../base/progress.ts';

/** What a resolver may know of this machine. Clock and environment are arguments. */
export interface ResolverSettings {
  /** As `process.env`: the user's own settings of apt, uv and pip, proxies and credentials are in it. */
  readonly environment: Environment;
  /** Of this machine: what can be run here. */
  readonly hostArchitecture: Architecture;
  /** Kept between runs; may be emptied at any time. Made when it is missing. */
  readonly cacheFolder: string;
  /** For folders that live as long as one resolve. */
  readonly temporaryFolder: string;
  /** Path of a file that has this digest and is here already; undefined: there is none. */
  readonly storedFile?: ((digest: Digest) => string | undefined) | undefined;
  /** Seconds since 1970. */
  readonly now: number;
  readonly signal?: AbortSignal | undefined;
  readonly progress?: Progress | undefined;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** Which packages may leave the version that is locked: none, all, or those of these names. */
export type Upgrade = 'none' | 'all' | readonly string[];

export function mayUpgrade(upgrade: Upgrade, name: string): boolean {
  if (typeof upgrade === 'string') return upgrade === 'all';
  return upgrade.includes(name);
}
