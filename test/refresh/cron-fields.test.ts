import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseCron } from '../../src/recipe/cron-expression.ts';
import { cronFields, type CronFields } from '../../src/refresh/cron-fields.ts';
import { cronAfter } from '../../src/refresh/next-refresh.ts';

const ZONE = process.env['TZ'];
beforeAll(() => void (process.env['TZ'] = 'UTC'));
afterAll(() => {
  if (ZONE === undefined) delete process.env['TZ'];
  else process.env['TZ'] = ZONE;
});

const DAY_MS = 86_400_000;
const START = Date.parse('2027-12-25T13:17:30Z');
const WEEKDAYS = ['sun', 'mon', 'tue', 'Wed', 'thu', 'fri', 'SAT'];
const MONTHS = ['jan', 'feb', 'mar', 'Apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'DEC'];

/** `*`, numbers, names, ranges of them, steps, and lists of all that. */
function fieldOf(least: number, most: number, names: readonly string[]): fc.Arbitrary<string> {
  const number = fc.integer({ min: least, max: most }).map(String);
  const one = names.length === 0 ? number : fc.oneof(number, fc.constantFrom(...names));
  const range = fc.tuple(one, one).map((ends) => {
    // Most that go back are refused.
    const isBack = names.length === 0 && Number(ends[0]) > Number(ends[1]);
    return (isBack ? ends.toReversed() : ends).join('-');
  });
  const step = fc
    .tuple(fc.oneof(fc.constant('*'), range), fc.integer({ min: 1, max: 12 }))
    .map((both) => both.join('/'));
  const list = fc.array(fc.oneof(one, range, step), { minLength: 1, maxLength: 3 }).map((parts) => parts.join(','));
  return fc.oneof({ arbitrary: fc.constant('*'), weight: 1 }, { arbitrary: list, weight: 2 });
}

function has(list: readonly number[] | undefined, number: number): boolean {
  return list?.includes(number) ?? true;
}

/** The first time after `last` that the fields name, found by looking at each. */
function firstAfter({ minutes, hours, days, months, weekdays }: CronFields, last: number): number {
  for (let day = Math.floor(last / DAY_MS) * DAY_MS; ; day += DAY_MS) {
    const date = new Date(day);
    const [inDays, inWeekdays] = [has(days, date.getUTCDate()), has(weekdays, date.getUTCDay())];
    const isEither = days !== undefined && weekdays !== undefined;
    if (!has(months, date.getUTCMonth() + 1) || !(isEither ? inDays || inWeekdays : inDays && inWeekdays)) continue;
    for (let minute = 0; minute < 24 * 60; minute += 1) {
      const time = day + minute * 60_000;
      if (time > last && has(hours, Math.floor(minute / 60)) && has(minutes, minute % 60)) return time;
    }
  }
}

/** Checks the times of each of many expressions; returns how many were taken. */
function compareTimes(expressions: fc.Arbitrary<string>): number {
  let taken = 0;
  const times = fc.property(expressions, (expression) => {
    const parsed = parseCron(expression);
    if (!('value' in parsed)) return;
    taken += 1;
    const fields = cronFields(parsed.value);
    for (let [time, count] = [START, 0]; count < 3; count += 1) {
      const next = cronAfter(parsed.value, time);
      expect(new Date(firstAfter(fields, time)).toISOString()).toBe(new Date(next).toISOString());
      time = next;
    }
  });
  fc.assert(times, { numRuns: 1000 });
  return taken;
}

describe('cronFields()', () => {
  it('means the times that the schedule means, whatever parseCron() takes', () => {
    const fields = [fieldOf(0, 59, []), fieldOf(0, 23, []), fieldOf(1, 31, [])] as const;
    const weekdays = fieldOf(0, 7, WEEKDAYS);
    const whole = fc.tuple(...fields, fieldOf(1, 12, MONTHS), weekdays);
    expect(compareTimes(whole.map((all) => all.join(' ')))).toBeGreaterThan(50);
    expect(compareTimes(weekdays.map((days) => `0 9 * * ${days}`))).toBeGreaterThan(200);
  });
});

describe('parseCron()', () => {
  it.each(['sun-sun', '0-sun', 'mon,Sun-SUN', '0-sun/2', '1,sun-sun/3,5'])(
    'refuses the days %s, which mean two things',
    (days) => {
      expect(parseCron(`9 * * * ${days}`)).toEqual({
        fault: `has days from Sunday to Sunday: \`"9 * * * ${days}"\``,
        hint: 'write `sun` for that day alone, or `*` for every day',
      });
    },
  );

  it.each(['0-7', 'sun-7', 'sun-0', '7-sun', 'mon-sun', '0-6', 'sun-sat'])('takes the days %s', (days) => {
    expect(parseCron(`9 * * * ${days}`)).toEqual({ value: `9 * * * ${days}` });
  });
});
