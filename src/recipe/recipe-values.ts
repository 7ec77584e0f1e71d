import { z } from 'zod';
import { ARCHITECTURES, parseArchitecture } from '../base/architecture.ts';
import type { Architecture } from '../base/architecture.ts';
import { closestWord } from '../base/closest-word.ts';
import type { ErrorCode } from '../base/rootcellar-error.ts';
import { mustBe, quotedValue } from './quoted-value.ts';

/** Why a value is refused. `fault` completes the sentence "`some.key` …". */
export interface Fault {
  readonly fault: string;
  readonly hint: string;
  /** E_RECIPE_VALUE when undefined. */
  readonly code?: ErrorCode;
}

export type Parsed<T> = { readonly value: T } | Fault;

/** What editors are told of a value. */
type EditorFacts = Readonly<{ type: 'string' | 'integer' }> & Readonly<Record<string, unknown>>;

/** One value of a recipe: `parse` is the check, `facts` are what the JSON Schema says of it. */
export function leaf<T>(parse: (input: unknown) => Parsed<T>, facts: EditorFacts): z.ZodType<T> {
  return z
    .unknown()
    .transform((input, context): T => {
      const parsed: Parsed<T> = input === undefined ? { fault: 'is missing', hint: 'add it' } : parse(input);
      if ('value' in parsed) return parsed.value;
      const { fault, ...params } = parsed;
      context.issues.push({ code: 'custom', input, message: fault, params });
      return z.NEVER;
    })
    .meta({ ...facts });
}

export interface WordRules {
  readonly pattern: RegExp;
  /** Completes "must be …". */
  readonly expected: string;
  readonly example: string;
  readonly description: string;
  readonly refuse?: (word: string) => Fault | undefined;
}

/** Text that fits a pattern. */
export function word(rules: WordRules): z.ZodType<string> {
  const parse = (input: unknown): Parsed<string> => {
    if (typeof input !== 'string')
      return { fault: mustBe(rules.expected, input), hint: textHint(input, rules.example) };
    if (!rules.pattern.test(input))
      return { fault: mustBe(rules.expected, input), hint: `write for example \`${rules.example}\`` };
    return rules.refuse?.(input) ?? { value: input };
  };
  return leaf(parse, {
    type: 'string',
    pattern: rules.pattern.source,
    description: rules.description,
  });
}

export function debianPackage(): z.ZodType<string> {
  return word({
    pattern: /^[a-z0-9][a-z0-9+.-]{0,127}(?<!-)$/,
    expected: 'the name of a Debian package, without version or architecture',
    example: 'python3',
    description: 'Name of a Debian package.',
  });
}

/** One of some words. `planned` are those that exist in the design only. */
export function choice<T extends string>(
  words: readonly T[],
  description: string,
  planned: readonly string[] = [],
): z.ZodType<T> {
  const listed = words.map((one) => `\`${one}\``).join(', ');
  const parse = (input: unknown): Parsed<T> => {
    const value = words.find((one) => one === input);
    if (value !== undefined) return { value };
    if (typeof input === 'string' && planned.includes(input)) {
      return {
        fault: `cannot be ${quotedValue(input)} yet: this version knows ${listed} only`,
        hint: `write ${listed}`,
      };
    }
    const meant =
      typeof input === 'string' && input.length > 2 && input.length < 64 ? closestWord(input, words) : undefined;
    return { fault: mustBe(`one of ${listed}`, input), hint: meant ? `did you mean \`${meant}\`?` : `write ${listed}` };
  };
  return leaf(parse, { type: 'string', enum: [...words], description });
}

export interface Range {
  readonly least: number;
  readonly most: number;
  readonly example: string;
  readonly description: string;
}

/** A whole number. */
export function count(range: Range): z.ZodType<number> {
  const parse = (input: unknown): Parsed<number> => {
    if (typeof input === 'number' && Number.isInteger(input) && input >= range.least && input <= range.most) {
      return { value: input };
    }
    return {
      fault: mustBe(`a whole number from ${range.least} to ${range.most}`, input),
      hint: `write for example \`${range.example}\``,
    };
  };
  return leaf(parse, { type: 'integer', minimum: range.least, maximum: range.most, description: range.description });
}

/** Only Debian's names: an alias would be one more spelling of the same recipe. */
export function architecture(): z.ZodType<Architecture> {
  const description = 'Architecture, by its Debian name.';
  return leaf(readArchitecture, { type: 'string', enum: [...ARCHITECTURES], description });
}

function readArchitecture(input: unknown): Parsed<Architecture> {
  const value = ARCHITECTURES.find((one) => one === input);
  if (value !== undefined) return { value };
  const meant = typeof input === 'string' && input.length < 64 ? parseArchitecture(input) : undefined;
  return {
    fault: mustBe(`one of ${ARCHITECTURES.map((one) => `\`${one}\``).join(', ')}`, input),
    hint: `write \`${meant ?? 'amd64'}\``,
  };
}

function textHint(input: unknown, example: string): string {
  const scalar = typeof input === 'number' || typeof input === 'boolean';
  return scalar ? 'put the value into quotes' : `write for example \`${example}\``;
}
