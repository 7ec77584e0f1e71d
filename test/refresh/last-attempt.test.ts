import { describe, expect, it } from 'vitest';
import { attemptOf } from '../../src/refresh/last-attempt.ts';

type Result = 'current' | 'switched' | 'kept' | 'failed';
type Row = readonly [result: Result, to?: string | undefined, fault?: string];

/** Records, newest first, each a minute older than the one before. */
function failuresOf(...rows: readonly Row[]): number | undefined {
  const records = rows.map(([result, to, fault], index) => ({
    result,
    time: `2026-11-21T11:${String(59 - index)}:00Z`,
    to: to === undefined ? undefined : (`sha256:${to}` as const),
    faults: fault === undefined ? [] : [fault],
  }));
  const attempt = attemptOf(records);
  const first = records.find(({ faults }) => faults.length === 0);
  expect(attempt?.endedAt).toBe(first === undefined ? undefined : Date.parse(first.time));
  return attempt?.failures;
}

describe('attemptOf()', () => {
  it.each<readonly [number | undefined, readonly Row[]]>([
    [undefined, []],
    [0, [['current', 'a']]],
    [0, [['switched', 'b'], ['failed']]],
    [1, [['failed'], ['current', 'a'], ['failed']]],
    [3, [['failed'], ['failed'], ['failed']]],
    [
      2,
      [
        ['kept', 'b'],
        ['kept', 'b'],
        ['kept', 'a'],
      ],
    ],
    [4, [['failed'], ['kept', 'b'], ['failed'], ['kept', 'b'], ['kept', 'a']]],
    [
      1,
      [
        ['failed', undefined, 'error[E_CANCELLED] stopped'],
        ['kept', 'b'],
        ['current', 'a'],
      ],
    ],
    [undefined, [['failed', undefined, 'error[E_CANCELLED] stopped']]],
  ])('counts %s failures', (expected, rows) => expect(failuresOf(...rows)).toBe(expected));
});
