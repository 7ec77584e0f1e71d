import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatDuration, formatSize, parseDuration, parseSize } from '../../src/base/units.ts';

describe('parseSize()', () => {
  it.each([
    ['0B', 0],
    ['256MiB', 268_435_456],
    ['1.5 GB', 1_500_000_000],
    ['0.5KiB', 512],
  ])('reads %s', (text, bytes) => expect(parseSize(text)).toBe(bytes));

  it.each(['256', '', 'MiB', '1.3B', '-1MiB', '1 mib', '1e3MiB', '１MiB', '99999999999GiB', '1  MiB', '1MiB\n'])(
    'refuses %j',
    (text) => expect(parseSize(text)).toBeUndefined(),
  );

  it('never gives anything but a whole, safe number', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const bytes = parseSize(text);
        expect(bytes === undefined || (Number.isSafeInteger(bytes) && bytes >= 0)).toBe(true);
      }),
    );
  });
});

describe('parseDuration()', () => {
  it.each([
    ['500ms', 500],
    ['10s', 10_000],
    ['2m', 120_000],
    ['7d', 604_800_000],
  ])('reads %s', (text, milliseconds) => expect(parseDuration(text)).toBe(milliseconds));

  it.each(['10', '10 sec', '0.0001ms', '1MiB'])('refuses %j', (text) => expect(parseDuration(text)).toBeUndefined());
});

describe('formatSize() and formatDuration()', () => {
  it('write what people read', () => {
    expect([0, 1023, 1536, 1024 ** 2 * 250.4, 1024 ** 4].map(formatSize)).toEqual([
      '0 B',
      '1023 B',
      '1.5 KiB',
      '250 MiB',
      '1 TiB',
    ]);
    expect([12.4, 3400, 125_000].map(formatDuration)).toEqual(['12 ms', '3.4 s', '2 min 5 s']);
    const hours = [1, 1.5, 23.99, 24, 36.5].map((hour) => formatDuration(hour * 3_600_000));
    expect(hours).toEqual(['1 h', '1 h 30 min', '23 h 59 min', '1 d', '1 d 12 h']);
  });
});
