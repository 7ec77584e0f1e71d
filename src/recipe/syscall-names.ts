import type { z } from 'zod';
import { closestWord } from '../base/closest-word.ts';
import { mustBe, quotedWord } from './quoted-value.ts';
import { leaf } from './recipe-values.ts';
import type { Fault } from './recipe-values.ts';
import { nameHint, type SyscallVocabulary } from './syscall-vocabulary.ts';

const ANY_NAME = 'write the name of the system call, such as `sched_setaffinity`';
const RULE = /^@?[a-z_][a-z0-9_-]{0,63}$/;

export function profileName(vocabulary: SyscallVocabulary): z.ZodType<string> {
  const parse = (input: unknown): { readonly value: string } | Fault => {
    if (typeof input === 'string' && vocabulary.profiles.includes(input)) return { value: input };
    if (typeof input !== 'string' || !RULE.test(input))
      return { fault: mustBe('the name of a profile', input), hint: 'write for example `python`' };
    return unknown('profile', input, vocabulary.profiles);
  };
  return leaf(parse, {
    type: 'string',
    description: 'Named set of system calls to start from; `python` when left out.',
  });
}

/** A system call or an `@group`, by name: a number means another call on another architecture. */
export function ruleName(vocabulary: SyscallVocabulary): z.ZodType<string> {
  const known = new Set([...vocabulary.groups, ...vocabulary.syscalls]);
  const parse = (input: unknown): { readonly value: string } | Fault => {
    if (typeof input === 'string' && known.has(input)) return { value: input };
    if (typeof input === 'number' || (typeof input === 'string' && /^\d+$/.test(input))) {
      return {
        fault: mustBe('a name', input),
        hint: `${nameHint(vocabulary.namesOf?.(Number(input)) ?? []) ?? ANY_NAME}: numbers differ between architectures`,
      };
    }
    if (typeof input !== 'string' || !RULE.test(input)) {
      return {
        fault: mustBe('the name of a system call or an `@group`', input),
        hint: 'write for example `sched_setaffinity`',
      };
    }
    return input.startsWith('@')
      ? unknown('group', input, vocabulary.groups)
      : unknown('system call', input, vocabulary.syscalls);
  };
  return leaf(parse, {
    type: 'string',
    pattern: RULE.source,
    description: 'Name of a system call, or of a group of them.',
  });
}

function unknown(noun: string, name: string, names: readonly string[]): Fault {
  const meant = closestWord(name, names);
  const list =
    names.length <= 20 && names.length > 0
      ? `write one of ${names.map((one) => `\`${one}\``).join(', ')}`
      : 'remove it';
  return {
    fault: `names the unknown ${noun} ${quotedWord(name)}`,
    hint: meant === undefined ? list : `did you mean \`${meant}\`?`,
  };
}
