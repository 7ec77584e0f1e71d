import { describe, expect, it } from 'vitest';
import type { RefreshSchedule } from '../../src/recipe/recipe.ts';
import { keepRefreshing, type Attempt, type CycleOutcome, type Keeping } from '../../src/refresh/keep-refreshing.ts';
import type { ScheduleClock } from '../../src/refresh/schedule-clock.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const START = Date.parse('2026-06-01T00:00:30Z');
const HOURLY: RefreshSchedule = { kind: 'every', everyMs: HOUR, jitterMs: 0 };
const CRON: RefreshSchedule = { kind: 'cron', expression: '0 * * * *', jitterMs: 0 };

/** A clock that goes as fast as it is waited for, and what it does besides. */
interface ToyClock extends ScheduleClock {
  readonly wakeups: () => number;
}

/** `jumps`: by how much the wall clock is set at a minute of the other one; `slept`: both, but only the wall clock knows. */
function toyClock(jumps: Readonly<Record<number, number>> = {}, stopAt: () => void = () => undefined): ToyClock {
  let elapsed = 0;
  let offset = START;
  let wakeups = 0;
  return {
    now: () => offset + elapsed,
    elapsed: () => elapsed,
    random: () => 0,
    wakeups: () => wakeups,
    sleep: async (ms) => {
      wakeups += 1;
      const minute = Math.floor(elapsed / MINUTE);
      elapsed += ms;
      for (let passed = minute + 1; passed <= Math.floor(elapsed / MINUTE); passed += 1) offset += jumps[passed] ?? 0;
      if (elapsed >= 20 * HOUR) stopAt();
    },
  };
}

interface Kept {
  /** In minutes of the clock that only goes on. */
  readonly at: readonly number[];
  readonly reasons: readonly string[];
  readonly wakeups: number;
}

interface Toy extends Partial<Omit<Keeping, 'schedule' | 'refresh'>> {
  readonly jumps?: Readonly<Record<number, number>>;
  readonly outcome?: (index: number) => CycleOutcome;
}

/** For 20 hours. */
async function kept(schedule: RefreshSchedule | undefined, { jumps, outcome, ...more }: Toy = {}): Promise<Kept> {
  const stop = new AbortController();
  const clock = toyClock(jumps, () => stop.abort());
  const at: number[] = [];
  const reasons: string[] = [];
  await keepRefreshing({
    schedule: async () => schedule,
    lastAttempt: async () => undefined,
    refresh: async (reason) => {
      at.push(Math.round(clock.elapsed() / MINUTE));
      reasons.push(reason);
      return outcome?.(at.length) ?? { isFailure: false };
    },
    areEdited: async () => false,
    planned: () => undefined,
    clock,
    wakeMs: MINUTE,
    signal: stop.signal,
    ...more,
  });
  return { at, reasons, wakeups: clock.wakeups() };
}

function hours(count: number, first = 0): readonly number[] {
  return Array.from({ length: count }, (_, index) => first + index * 60);
}

describe('keepRefreshing()', () => {
  it('refreshes by the schedule, and wakes no more often than it is told to', async () => {
    const { at, wakeups } = await kept(HOURLY);
    expect(at).toEqual(hours(20));
    expect(wakeups).toBeLessThan(20 * 60 + 50);
    expect((await kept(CRON)).at.slice(0, 3)).toEqual([60, 120, 180]);
  });

  it('makes up once for a time in which the machine slept', async () => {
    // After 90 minutes the wall clock is 7.5 hours ahead.
    const jumps = { 90: 7.5 * HOUR };
    expect((await kept(HOURLY, { jumps })).at.slice(0, 5)).toEqual([0, 60, 90, 150, 210]);
    expect((await kept(CRON, { jumps })).at.slice(0, 4)).toEqual([60, 91, 150, 210]);
  });

  it('goes on when the clock is set back by hours, again and again, without stalling or haste', async () => {
    const jumps = Object.fromEntries(hours(19, 30).map((minute) => [minute, -5 * HOUR]));
    expect((await kept(HOURLY, { jumps })).at).toEqual(hours(20));
    const { at, wakeups } = await kept(CRON, { jumps });
    expect(at.slice(0, 4)).toEqual([60, 120, 180, 240]);
    expect(wakeups).toBeLessThan(20 * 60 + 50);
  });

  it('goes on when the clock was in another century for a while', async () => {
    const jumps = { 30: 876_000 * HOUR, 100: -876_000 * HOUR };
    expect((await kept(HOURLY, { jumps })).at.slice(0, 5)).toEqual([0, 30, 90, 150, 210]);
    expect((await kept(CRON, { jumps })).at.slice(0, 4)).toEqual([30, 60, 120, 180]);
  });

  it('waits longer after each failure, begins anew with other changes, and forgets it after a success', async () => {
    const failing = { isFailure: true } as const;
    const { at } = await kept(HOURLY, { outcome: (index) => (index < 4 ? failing : { isFailure: false }) });
    expect(at).toEqual([0, 120, 360, 720, 780, 840, 900, 960, 1020, 1080, 1140]);
    const changed = await kept(HOURLY, {
      outcome: (index) => ({ isFailure: true, changes: index < 3 ? 'these' : 'those' }),
    });
    expect(changed.at).toEqual([0, 120, 360, 480, 720, 1080]);
  });

  it('counts what was recorded before it began, and what others do meanwhile', async () => {
    const early: Attempt = { endedAt: START - 30 * MINUTE, failures: 0 };
    expect((await kept(HOURLY, { lastAttempt: async () => early })).at.slice(0, 2)).toEqual([30, 90]);
    const failed: Attempt = { endedAt: START - 30 * MINUTE, failures: 1 };
    expect((await kept(HOURLY, { lastAttempt: async () => failed })).at.slice(0, 2)).toEqual([90, 150]);
    // From tomorrow: its clock was wrong, or ours was.
    const late: Attempt = { endedAt: START + 24 * HOUR, failures: 0 };
    expect((await kept(HOURLY, { lastAttempt: async () => late })).at.slice(0, 3)).toEqual([60, 120, 180]);
    let asked = 0;
    const lastAttempt = async (): Promise<Attempt> => {
      asked += 1;
      // Another process ends just when this one would begin.
      return { endedAt: START - (asked < 2 ? HOUR : MINUTE), failures: 0 };
    };
    expect((await kept(HOURLY, { lastAttempt })).at.slice(0, 2)).toEqual([59, 119]);
  });

  it('follows edits at once, without a schedule too', async () => {
    let looks = 0;
    const areEdited = async (): Promise<boolean> => {
      looks += 1;
      return looks === 10;
    };
    expect(await kept(undefined, { areEdited })).toMatchObject({ at: [9], reasons: ['edited'] });
    looks = 0;
    const { at, reasons } = await kept(HOURLY, { areEdited });
    expect([at.slice(0, 3), reasons.slice(0, 3)]).toEqual([
      [0, 8, 68],
      ['due', 'edited', 'due'],
    ]);
  });

  it('tries an edit again that could not be looked at, with or without a schedule', async () => {
    let looks = 0;
    const areEdited = async (): Promise<boolean> => {
      looks += 1;
      return looks === 10;
    };
    const off = await kept(undefined, { areEdited, outcome: (index) => ({ isFailure: index < 3 }) });
    expect(off).toMatchObject({ at: [9, 10, 12], reasons: ['edited', 'edited', 'edited'] });
    looks = 0;
    // What was found to be worse is so the next time.
    const worse = await kept(undefined, { areEdited, outcome: () => ({ isFailure: true, changes: 'these' }) });
    expect(worse.at).toEqual([9]);
  });

  it('ends while it waits for longer than a timer can', async () => {
    const stop = new AbortController();
    const waits: number[] = [];
    const clock: ScheduleClock = {
      ...toyClock(),
      sleep: async (ms) => {
        waits.push(ms);
        stop.abort();
      },
    };
    const yearly: RefreshSchedule = { kind: 'every', everyMs: 366 * 24 * HOUR, jitterMs: 0 };
    const last: Attempt = { endedAt: START, failures: 0 };
    const { at } = await kept(yearly, { clock, signal: stop.signal, lastAttempt: async () => last });
    expect(at).toEqual([]);
    expect(waits).toEqual([MINUTE]);
  });
});
