import { execFileSync } from 'node:child_process';
import { afterEach, describe, expect, it } from 'vitest';
import { parseCron } from '../../src/recipe/cron-expression.ts';
import { cronAfter } from '../../src/refresh/next-refresh.ts';
import { onCalendar } from '../../src/refresh/on-calendar.ts';
import { skipWithoutPrograms } from '../support/skip-without.ts';

const ZONE = process.env['TZ'];
afterEach(() => {
  if (ZONE === undefined) delete process.env['TZ'];
  else process.env['TZ'] = ZONE;
});

const COUNT = 40;
const START = '2027-12-25 13:17:30 UTC';

/** When systemd itself says that one of the events comes. */
function systemdTimes(events: readonly string[]): readonly string[] {
  const words = ['calendar', `--iterations=${COUNT}`, `--base-time=${START}`, ...events];
  const text = execFileSync('systemd-analyze', words, {
    encoding: 'utf8',
    env: { ...process.env, TZ: 'UTC', LC_ALL: 'C' },
  });
  const found = [...text.matchAll(/(?:Next elapse|Iter\. #\d+): \w+ (\S+) (\S+) UTC/g)];
  const times = found.map(([, date = '', time = '']) => `${date}T${time}.000Z`);
  return [...new Set(times)].toSorted().slice(0, COUNT);
}

function cronTimes(expression: string): readonly string[] {
  process.env['TZ'] = 'UTC';
  const times: number[] = [];
  for (let last = Date.parse('2027-12-25T13:17:30Z'); times.length < COUNT;)
    times.push((last = cronAfter(expression, last)));
  return times.map((time) => new Date(time).toISOString());
}

describe('onCalendar()', () => {
  it.skipIf(skipWithoutPrograms('systemd-analyze')).each([
    '* * * * *',
    '17 4 * * *',
    '@hourly',
    '@weekly',
    '@yearly',
    '*/15 * * * *',
    '*/7 */5 * * *',
    '5-50/9 8-18/3 * * *',
    '0,30 0,12 * * *',
    '0 0 31 * *',
    '0 0 29 2 *',
    '30 6 1,15 * *',
    '0 0 */10 * *',
    '0 9 * * mon-fri',
    '0 9 * * MON,wed,FRI',
    '0 0 * * 0',
    '0 0 * * 7',
    '0 0 * * 5-7',
    '0 0 * * fri-sun',
    '0 0 * * 0-6',
    '0 0 * * */2',
    // Either kind of day.
    '0 0 13 * 5',
    '0 0 1-7 * mon',
    '15 3 1,15 6-9/2 2-4',
    '0 0 31 1,3 sun',
    '0 0 */10 * 1',
    '59 23 31 dec *',
    '0 0 1 jan,Jul-sep *',
    '* * 29 feb 6',
  ])('comes when cron comes: %s', (text) => {
    const parsed = parseCron(text);
    if (!('value' in parsed)) throw new Error(parsed.fault);
    expect(systemdTimes(onCalendar(parsed.value))).toEqual(cronTimes(parsed.value));
  });

  it('writes one event, or two where either kind of day is meant', () => {
    expect(onCalendar('17 4 * * *')).toEqual(['*-*-* 04:17:00']);
    expect(onCalendar('0 0 13 1-3 5')).toEqual(['*-01,02,03-13 00:00:00', 'Fri *-01,02,03-* 00:00:00']);
  });
});
