import type { z } from 'zod';
import { closestWord } from '../base/closest-word.ts';
import { globFault } from './glob.ts';
import { mustBe } from './quoted-value.ts';
import { leaf, type Parsed } from './recipe-values.ts';
import { TRIM_SETS, TRIM_SET_NAMES } from './trim-sets.ts';

/** One element of `trim`: the name of a set, a glob, or a glob after `!` for what stays. */
export function trimRule(): z.ZodType<string> {
  const sets = TRIM_SETS.map(({ name, reason }) => `${name}: ${reason}`).join('; ');
  const description = `A set, an absolute path or glob, or \`!\` and a glob for what stays. Sets: ${sets}.`;
  return leaf(parseTrimRule, { type: 'string', minLength: 1, examples: [...TRIM_SET_NAMES], description });
}

function parseTrimRule(input: unknown): Parsed<string> {
  if (typeof input !== 'string' || input === '') {
    return { fault: mustBe('the name of a set or a glob', input), hint: 'write for example `docs`' };
  }
  if (TRIM_SET_NAMES.includes(input)) return { value: input };
  const glob = input.startsWith('!') ? input.slice(1) : input;
  if (!glob.includes('/'))
    return { fault: mustBe('the name of a set or a glob that starts with `/`', input), hint: hintFor(glob) };
  const fault = globFault(glob);
  if (fault === undefined) return { value: input };
  return { fault: mustBe(fault, input), hint: 'write for example `/usr/share/doc/**`' };
}

function hintFor(word: string): string {
  const near = word.length > 1 && word.length < 64 ? closestWord(word, TRIM_SET_NAMES) : undefined;
  return near === undefined ? `sets are ${TRIM_SET_NAMES.join(', ')}` : `did you mean \`${near}\`?`;
}
