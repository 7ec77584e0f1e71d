import type { Architecture } from './base/architecture.ts';
import type { Progress } from './base/progress.ts';
import type { Store } from './store/store.ts';

/** What every join of stages needs from the outside. */
export interface PipelineContext {
  readonly store: Store;
  /** As `process.env`: where users keep proxies, certificates and the settings of apt, uv and pip. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly hostArchitecture: Architecture;
  readonly signal: AbortSignal;
  readonly progress: Progress;
  /** A folder that `rootcellar vendor` has filled, asked before the network. */
  readonly vendor?: string | undefined;
  /** Whether nothing may come from the network. */
  readonly offline?: boolean | undefined;
  /** Seconds since 1970, for what must not be older or newer than now. */
  readonly now: number;
}
