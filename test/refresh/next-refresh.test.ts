import * as fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import type { RefreshSchedule } from '../../src/recipe/recipe.ts';
import { cronAfter, LONGEST_BACKOFF_MS, nextRefresh, type RefreshMoment } from '../../src/refresh/next-refresh.ts';

const MINUTE = 60_000;
const DAY = 86_400_000;
const ZONE = process.env['TZ'];

afterEach(() => {
  if (ZONE === undefined) delete process.env['TZ'];
  else process.env['TZ'] = ZONE;
});

const EXPRESSIONS = [
  '* * * * *',
  '17 4 * * *',
  '30 2 * * *',
  '0 0 31 * *',
  '0 0 29 2 *',
  '5 0 13 * 5',
  '*/7 */5 * * 1-5',
];
/** Where clocks are set forwards and back, by an hour and by half of one, and where they are not. */
const ZONES = ['UTC', 'Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kathmandu'];
/** From one time of any of them to the next, 29 February of 2100 left out. */
const LONGEST_GAP = 8 * 366 * DAY;

const jitterMs = fc.integer({ min: 0, max: DAY });
const schedules: fc.Arbitrary<RefreshSchedule> = fc.oneof(
  fc.record({ kind: fc.constant('every'), everyMs: fc.integer({ min: 1000, max: 366 * DAY }), jitterMs }),
  fc.record({ kind: fc.constant('cron'), expression: fc.constantFrom(...EXPRESSIONS), jitterMs }),
);
const times = fc.integer({ min: Date.parse('2024-01-01'), max: Date.parse('2096-01-01') });
const moments: fc.Arbitrary<RefreshMoment> = fc.record({
  now: times,
  last: fc.option(times, { nil: undefined }),
  failures: fc.integer({ min: 0, max: 5000 }),
  random: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
});

describe('nextRefresh()', () => {
  it('is never in the past, and never later than schedule, jitter and the longest backoff together', () => {
    fc.assert(
      fc.property(schedules, moments, fc.constantFrom(...ZONES), (schedule, moment, zone) => {
        process.env['TZ'] = zone;
        const next = nextRefresh(schedule, moment);
        expect(next).toBeGreaterThanOrEqual(moment.now);
        const period = schedule.kind === 'every' ? schedule.everyMs : LONGEST_GAP;
        expect(next).toBeLessThanOrEqual(moment.now + period + schedule.jitterMs + LONGEST_BACKOFF_MS);
      }),
      { numRuns: 2000 },
    );
  });

  it('begins by an interval after the last attempt, and at a time of the expression', () => {
    fc.assert(
      fc.property(schedules, moments, (schedule, { now, last = now }) => {
        const next = nextRefresh({ ...schedule, jitterMs: 0 }, { now, last, failures: 0, random: 0 });
        const since = Math.min(now, last);
        const due = schedule.kind === 'every' ? since + schedule.everyMs : cronAfter(schedule.expression, since);
        expect(next).toBe(Math.max(now, due));
      }),
    );
  });

  it('never comes sooner after more failures, and a success ends that', () => {
    fc.assert(
      fc.property(schedules, moments, (schedule, moment) => {
        const after = (failures: number): number => nextRefresh(schedule, { ...moment, failures, last: moment.now });
        expect(after(moment.failures + 1)).toBeGreaterThanOrEqual(after(moment.failures));
        expect(after(0)).toBeLessThanOrEqual(after(moment.failures));
      }),
    );
  });

  it('doubles an interval up to the longest backoff', () => {
    const waits = [0, 1, 2, 3, 4, 5, 9].map(
      (failures) =>
        nextRefresh({ kind: 'every', everyMs: 30 * MINUTE, jitterMs: 0 }, { now: 0, last: 0, failures, random: 0 }) /
        MINUTE,
    );
    expect(waits).toEqual([30, 60, 120, 240, 360, 360, 360]);
  });

  it('makes up once, and soon, for whatever was missed', () => {
    const now = Date.parse('2026-06-01T12:00:00Z');
    const last = now - 100 * DAY;
    for (const schedule of [
      { kind: 'every', everyMs: MINUTE, jitterMs: DAY },
      { kind: 'cron', expression: '* * * * *', jitterMs: DAY },
    ] satisfies RefreshSchedule[]) {
      const next = nextRefresh(schedule, { now, last, failures: 0, random: 0.999 });
      expect(next - now).toBeLessThan(MINUTE);
      expect(
        nextRefresh({ ...schedule, jitterMs: 0 }, { now: next, last: next, failures: 0, random: 0 }),
      ).toBeGreaterThan(next);
    }
  });

  it.each([
    // 2:30 is not there: an hour later by the clock on the wall.
    ['30 2 * * *', 'Europe/Berlin', '2026-03-28T12:00:00Z', '2026-03-29T01:00:00.000Z'],
    // 2:30 is there twice: the first one.
    ['30 2 * * *', 'Europe/Berlin', '2026-10-24T12:00:00Z', '2026-10-25T00:30:00.000Z'],
    ['0 0 31 * *', 'UTC', '2026-01-31T00:00:00Z', '2026-03-31T00:00:00.000Z'],
    ['0 0 29 2 *', 'UTC', '2026-01-31T00:00:00Z', '2028-02-29T00:00:00.000Z'],
    // Either day, as in crontab(5).
    ['5 0 13 * 5', 'UTC', '2026-01-10T00:00:00Z', '2026-01-13T00:05:00.000Z'],
  ])('reads `%s` in %s', (expression, zone, now, expected) => {
    process.env['TZ'] = zone;
    const moment = { now: Date.parse(now), last: undefined, failures: 0, random: 0.9 };
    const next = nextRefresh({ kind: 'cron', expression, jitterMs: 0 }, moment);
    expect(new Date(next).toISOString()).toBe(expected);
  });

  it('has a first refresh at once by an interval, also where no interval has passed since 1970', () => {
    const schedule: RefreshSchedule = { kind: 'every', everyMs: DAY, jitterMs: 0 };
    expect(nextRefresh(schedule, { now: 5, last: undefined, failures: 0, random: 0.5 })).toBe(5);
  });
});
