import { setTimeout } from 'node:timers/promises';

/** What a schedule is kept by. */
export interface ScheduleClock {
  /** Milliseconds since 1970; may jump. */
  readonly now: () => number;
  /** Milliseconds of a clock that only goes on; it may stand still while the machine sleeps. */
  readonly elapsed: () => number;
  /** From 0 to below 1. */
  readonly random: () => number;
  /** Resolves after `ms`, or when `signal` is aborted. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** This machine's. */
export function scheduleClock(): ScheduleClock {
  return {
    now: () => Date.now(),
    elapsed: () => performance.now(),
    random: () => Math.random(),
    sleep: async (ms, signal) => {
      try {
        await setTimeout(ms, undefined, { signal });
      } catch (error) {
        if (!signal.aborted) throw error;
      }
    },
  };
}
