import { cronFields } from './cron-fields.ts';

const WEEKDAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];

/**
 * Calendar events of systemd that come at exactly the times of a cron expression, and none at another. Two where the expression
 * means one kind of day or the other: an event has to fit both. Source: systemd.time(7), "Calendar Events".
 */
export function onCalendar(expression: string): readonly string[] {
  const { minutes, hours, days, months, weekdays } = cronFields(expression);
  const time = `${listOf(hours)}:${listOf(minutes)}:00`;
  const date = (day: readonly number[] | undefined): string => `*-${listOf(months)}-${listOf(day)} ${time}`;
  if (weekdays === undefined) return [date(days)];
  const names = weekdays.map((day) => WEEKDAYS[day]).join(',');
  const byWeekday = `${names} ${date(undefined)}`;
  return days === undefined ? [byWeekday] : [date(days), byWeekday];
}

function listOf(numbers: readonly number[] | undefined): string {
  return numbers === undefined ? '*' : numbers.map((number) => String(number).padStart(2, '0')).join(',');
}
