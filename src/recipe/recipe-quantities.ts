import type { z } from 'zod';
import { DURATION_UNITS, formatDuration, formatSize, parseDuration, parseSize, SIZE_UNITS } from '../base/units.ts';
import { mustBe } from './quoted-value.ts';
import { leaf } from './recipe-values.ts';
import type { Parsed, Range } from './recipe-values.ts';

/** A size with a unit; gives bytes. */
export function size(range: Range): z.ZodType<number> {
  return quantity(range, {
    noun: 'a size',
    parse: parseSize,
    format: formatSize,
    units: SIZE_UNITS,
    guesses: ['MiB', 'B'],
  });
}

/** A duration with a unit; gives milliseconds. */
export function duration(range: Range): z.ZodType<number> {
  return quantity(range, {
    noun: 'a duration',
    parse: parseDuration,
    format: formatDuration,
    units: DURATION_UNITS,
    guesses: ['s', 'ms'],
  });
}

interface Measure {
  readonly noun: string;
  readonly parse: (text: string) => number | undefined;
  readonly format: (value: number) => string;
  readonly units: string;
  /** Units that someone may have had in mind who wrote a bare number, likeliest first. */
  readonly guesses: readonly string[];
}

function quantity(range: Range, measure: Measure): z.ZodType<number> {
  const parse = (input: unknown): Parsed<number> => {
    const value = typeof input === 'string' ? measure.parse(input) : undefined;
    if (value === undefined) {
      return {
        fault: mustBe(`${measure.noun} with a unit (${measure.units})`, input),
        hint: quantityHint(input, range, measure),
      };
    }
    if (value >= range.least && value <= range.most) return { value };
    const limits = `from ${measure.format(range.least)} to ${measure.format(range.most)}`;
    return { fault: mustBe(`${measure.noun} ${limits}`, input), hint: `write for example \`${range.example}\`` };
  };
  const units = measure.units.replaceAll(', ', '|');
  const pattern = `^\\d{1,12}(?:\\.\\d{1,6})? ?(?:${units})$`;
  return leaf(parse, { type: 'string', pattern, description: range.description });
}

function quantityHint(input: unknown, range: Range, measure: Measure): string {
  const bare = typeof input === 'number' || (typeof input === 'string' && /^\d{1,12}$/.test(input));
  const guess = measure.guesses
    .map((unit) => `${String(input)}${unit}`)
    .find((text) => {
      const value = measure.parse(text);
      return value !== undefined && value >= range.least && value <= range.most;
    });
  return `write ${bare && guess !== undefined ? '' : 'for example '}\`${(bare ? guess : undefined) ?? range.example}\``;
}
