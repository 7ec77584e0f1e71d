import { describe, expect, it } from 'vitest';
import { chooseSchedule, type ScheduleFlags } from '../../src/cli/schedule-flags.ts';

describe('chooseSchedule()', () => {
  it.each<readonly [ScheduleFlags, unknown]>([
    [{}, { kind: 'once', jitterMs: 0 }],
    [
      { once: true, jitter: '10m' },
      { kind: 'once', jitterMs: 600_000 },
    ],
    [{ every: '12h' }, { kind: 'fixed', schedule: { kind: 'every', everyMs: 43_200_000, jitterMs: 4_320_000 } }],
    [
      { every: '1s', jitter: '0s' },
      { kind: 'fixed', schedule: { kind: 'every', everyMs: 1000, jitterMs: 0 } },
    ],
    [{ cron: ' @daily' }, { kind: 'fixed', schedule: { kind: 'cron', expression: '0 0 * * *', jitterMs: 0 } }],
    [{ scheduled: true }, { kind: 'recipe', jitterMs: undefined }],
  ])('reads %j', (flags, expected) => expect(chooseSchedule(flags)).toEqual(expected));

  it.each<readonly [ScheduleFlags, string]>([
    [{ once: true, cron: '* * * * *' }, '--once and --cron: cannot be had together'],
    [{ every: '12' }, '--every: `12` is no time from 1 s to 366 d with a unit'],
    [{ every: '500ms' }, '--every: `500ms` is no time'],
    [{ every: '1h', jitter: '2d' }, '--jitter: `2d` is no time from 0 ms to 1 d'],
    [{ cron: '99 * * * *' }, '--cron: has a number or a range that cannot be'],
    [{ cron: '0 0 30 2 *' }, '--cron: names no day that there is'],
  ])('refuses %j', (flags, message) => expect(() => chooseSchedule(flags)).toThrow(message));
});
