import { Cron } from 'croner';
import { mustBe, quotedValue } from './quoted-value.ts';
import type { Parsed } from './recipe-values.ts';

const NICKNAMES: ReadonlyMap<string, string> = new Map([
  ['@hourly', '0 * * * *'],
  ['@daily', '0 0 * * *'],
  ['@weekly', '0 0 * * 0'],
  ['@monthly', '0 0 1 * *'],
  ['@yearly', '0 0 1 1 *'],
]);

/** What crontab(5) has and no more: croner also reads seconds, `L`, `W`, `#` and `+`. */
const FIELDS = new RegExp(
  String.raw`^(?:[\d*/,-]+ ){3}(?:[\d*/,-]|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)+ (?:[\d*/,-]|mon|tue|wed|thu|fri|sat|sun)+$`,
  'i',
);

/** One day for some programs, and for others all seven. */
const SUNDAY_TO_SUNDAY = /[ ,](?:0|sun)-sun(?:[,/]|$)/i;

/** An expression with single spaces between its fields, nicknames resolved. */
export function parseCron(input: unknown): Parsed<string> {
  const hint = 'write for example `17 4 * * *`: each day at 4:17';
  const words = typeof input === 'string' && input.length < 200 ? input.trim().replaceAll(/[ \t]+/g, ' ') : '';
  const expression = NICKNAMES.get(words) ?? words;
  if (!FIELDS.test(expression)) return { fault: mustBe('five fields as in crontab(5)', input), hint };
  if (SUNDAY_TO_SUNDAY.test(expression)) {
    const fault = `has days from Sunday to Sunday: ${quotedValue(input)}`;
    return { fault, hint: 'write `sun` for that day alone, or `*` for every day' };
  }
  try {
    const next = new Cron(expression, { mode: '5-part', paused: true }).nextRun();
    return next === null ? { fault: `names no day that there is: ${quotedValue(input)}`, hint } : { value: expression };
  } catch {
    return { fault: `has a number or a range that cannot be: ${quotedValue(input)}`, hint };
  }
}
