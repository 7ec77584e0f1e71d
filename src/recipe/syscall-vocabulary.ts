import type { Architecture } from '../base/architecture.ts';

/** The names that `sandbox.syscalls` may use. A port: `run/` knows them, `recipe/` only checks against them. */
export interface SyscallVocabulary {
  readonly profiles: readonly string[];
  /** With their `@`. */
  readonly groups: readonly string[];
  readonly syscalls: readonly string[];
  /** What a number could mean, for hints: the names that it has, each with its architectures. Empty where it has none; left out, no hint has any. */
  readonly namesOf?: (number: number) => readonly NumberedSyscall[];
}

export interface NumberedSyscall {
  readonly name: string;
  readonly architectures: readonly Architecture[];
}

/** What to write in place of a number. */
export function nameHint(names: readonly NumberedSyscall[]): string | undefined {
  if (names.length === 0) return undefined;
  return `write ${names.map(({ name, architectures }) => `\`${name}\` (${architectures.join(', ')})`).join(' or ')}`;
}
