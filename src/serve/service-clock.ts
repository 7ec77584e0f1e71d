import type { ServiceClock } from './run-desk.ts';

/** This machine's. */
export function serviceClock(): ServiceClock {
  return {
    elapsed: () => performance.now(),
    now: () => Date.now(),
    after: (ms, action) => {
      const timer = setTimeout(() => void action(), ms);
      return () => clearTimeout(timer);
    },
  };
}
