/** What a cron expression names, each list ascending; undefined: every one. */
export interface CronFields {
  readonly minutes: readonly number[] | undefined;
  readonly hours: readonly number[] | undefined;
  readonly days: readonly number[] | undefined;
  readonly months: readonly number[] | undefined;
  /** 0 is Sunday. */
  readonly weekdays: readonly number[] | undefined;
}

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

/** Of an expression that the recipe's reader has checked. Where both kinds of days are limited, either is meant: crontab(5). */
export function cronFields(expression: string): CronFields {
  const [minutes = '', hours = '', days = '', months = '', weekdays = ''] = expression.split(' ');
  return {
    minutes: numbersOf(minutes, { least: 0, most: 59 }),
    hours: numbersOf(hours, { least: 0, most: 23 }),
    days: numbersOf(days, { least: 1, most: 31 }),
    months: numbersOf(withNumbers(months, MONTHS, 1), { least: 1, most: 12 }),
    weekdays: weekdaysOf(numbersOf(withNumbers(weekdays, WEEKDAYS, 0), { least: 0, most: 7 })),
  };
}

function withNumbers(field: string, names: readonly string[], first: number): string {
  return names.reduce((text, name, index) => text.replaceAll(name, String(first + index)), field.toLowerCase());
}

/** Sunday may be 7; as the end of a range it must be. */
function weekdaysOf(numbers: readonly number[] | undefined): readonly number[] | undefined {
  return numbers === undefined ? undefined : [...new Set(numbers.map((day) => day % 7))].toSorted((a, b) => a - b);
}

interface Bounds {
  readonly least: number;
  readonly most: number;
}

/** Only `*` alone leaves a field unlimited, for the rule of the two kinds of days too. */
function numbersOf(field: string, { least, most }: Bounds): readonly number[] | undefined {
  if (field === '*') return undefined;
  const numbers = new Set<number>();
  for (const part of field.split(',')) {
    const [range = '', step = '1'] = part.split('/');
    const [from, to = from] = range === '*' ? [least, most] : boundsOf(range);
    for (let number = from; number <= to; number += Number(step)) numbers.add(number);
  }
  return [...numbers].toSorted((a, b) => a - b);
}

function boundsOf(range: string): readonly [number, number | undefined] {
  const [from = '', to] = range.split('-');
  const end = to === undefined ? undefined : Number(to);
  // `fri-sun`.
  return [Number(from), end === 0 && from !== '0' ? 7 : end];
}
