import { Cron } from 'croner';
import type { RefreshSchedule } from '../recipe/recipe.ts';

/** What the next refresh depends on besides its schedule. Times are milliseconds since 1970. */
export interface RefreshMoment {
  readonly now: number;
  /** When the last attempt ended; undefined: there was none. Later than `now` where the clock was set back. */
  readonly last: number | undefined;
  /** How many have failed in a row. */
  readonly failures: number;
  /** From 0 to below 1, drawn once for each refresh. */
  readonly random: number;
}

/** Failures make no schedule wait longer than this, where it would not do so anyway. */
export const LONGEST_BACKOFF_MS: number = 6 * 3_600_000;
/** What a cron expression waits for at least after the first failure. */
const FIRST_BACKOFF_MS = 5 * 60_000;
/** What was missed is made up for within this: at once, but many machines that wake together do not ask together. */
const MISSED_SPREAD_MS = 60_000;

/**
 * When the next refresh begins, in milliseconds since 1970: never before `now`. However many were missed, they are one; a first
 * one comes at once by an interval, and by a cron expression at its next time. Cron expressions are read in the time zone of this
 * process.
 */
export function nextRefresh(schedule: RefreshSchedule, { now, last, failures, random }: RefreshMoment): number {
  const due = dueAfter(schedule, { last: last === undefined ? undefined : Math.min(last, now), now, failures });
  const spread = due > now ? schedule.jitterMs : Math.min(schedule.jitterMs, MISSED_SPREAD_MS);
  return Math.max(due, now) + Math.floor(random * spread);
}

function dueAfter(schedule: RefreshSchedule, { now, last, failures }: Omit<RefreshMoment, 'random'>): number {
  if (schedule.kind === 'every') {
    if (last === undefined) return now;
    const { everyMs } = schedule;
    return last + Math.max(everyMs, Math.min(everyMs * 2 ** failures, LONGEST_BACKOFF_MS));
  }
  const pause = failures === 0 ? 0 : Math.min(FIRST_BACKOFF_MS * 2 ** (failures - 1), LONGEST_BACKOFF_MS);
  return cronAfter(schedule.expression, (last ?? now) + pause);
}

/** The first time of the expression that is later. */
export function cronAfter(expression: string, time: number): number {
  const next = new Cron(expression, { mode: '5-part', paused: true }).nextRun(new Date(time));
  // Its reader has seen that there is one.
  if (next === null) throw new Error(`unreachable: no time of ${expression}`);
  return next.getTime();
}
