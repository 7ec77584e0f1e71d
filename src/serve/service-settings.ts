import type { NetworkSettings } from '../recipe/network.ts';
import type { Limits } from '../recipe/recipe.ts';
import type { ApiKey } from './api-keys.ts';
import type { ListenAddress } from './listen-address.ts';

/** How a service behaves. */
export interface ServiceSettings {
  readonly address: ListenAddress;
  /** Empty: no key is asked for, which only loopback may have. */
  readonly keys: readonly ApiKey[];
  /** Runs at one time. */
  readonly workers: number;
  /** Running and waiting together. */
  readonly requests: number;
  /** Cells of each kind of runs that are kept waiting; 0: none. */
  readonly warmCells: number;
  /** Whether Python's may be forked by an interpreter that has its imports done. */
  readonly zygotes: boolean;
  /** For runs that say nothing, in place of the image's. */
  readonly limits: Partial<Limits>;
  /** Beyond which no request may go; where nothing is said, what the image gives anyway. */
  readonly mostLimits: Partial<Limits>;
  /** What runs may reach; undefined: what the image says. */
  readonly network?: NetworkSettings | undefined;
  /** Whether `preload` is run; else it is dropped in silence, as dify-sandbox does. */
  readonly enablePreload: boolean;
  readonly mostBodyBytes: number;
  /** After a signal to stop, runs may take so long to end by themselves. */
  readonly drainMs: number;
  /** Between two refreshes of an image whose recipe says nothing of them; undefined: only when asked, and after edits. */
  readonly updateMs?: number | undefined;
}

const MIB = 1024 ** 2;

/** Workers and requests are those of dify-sandbox's shipped configuration. */
export const DEFAULT_SETTINGS: Omit<ServiceSettings, 'address' | 'keys'> = {
  workers: 4,
  requests: 50,
  warmCells: 4,
  zygotes: true,
  limits: {},
  mostLimits: {},
  enablePreload: false,
  mostBodyBytes: 8 * MIB,
  drainMs: 30_000,
};
