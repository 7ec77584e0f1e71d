import type { Architecture } from '../base/architecture.ts';
import { byteOrder } from '../base/byte-order.ts';
import { closestWord } from '../base/closest-word.ts';
import { RootcellarError, type Problem } from '../base/rootcellar-error.ts';
import type { SyscallSettings } from '../recipe/recipe.ts';
import { nameHint, type SyscallVocabulary } from '../recipe/syscall-vocabulary.ts';
import { DANGEROUS_CALLS } from './dangerous-calls.ts';
import { PROFILES } from './profiles.ts';
import { SYSCALL_GROUPS } from './syscall-groups.ts';
import { ALLOW, errno, NOTIFY, type SyscallAction, type SyscallRule } from './syscall-rule.ts';
import { namesOfNumber, syscallNames, syscallNumber } from './syscall-tables.ts';

/** What each system call of one architecture may do. Calls by another architecture's rules are always killed. */
export interface SyscallPolicy {
  readonly profile: string;
  /** By name, in byte order; only names that the architecture has. The first rule that matches decides. */
  readonly rules: ReadonlyMap<string, readonly SyscallRule[]>;
  /** For calls that have a name and no rule that matches. */
  readonly otherwise: SyscallAction;
  /** For numbers that have no name. */
  readonly unassigned: SyscallAction;
}

export interface DangerousCall {
  readonly name: string;
  readonly reason: string;
}

/**
 * The profile, plus what `allow` names, minus what `deny` names. A group brings its calls with the conditions that it has
 * for them, a name all of the call. `deny` leaves in place what answers a call with an error anyway.
 * Throws E_POLICY, with one problem for each unknown profile, name or group.
 */
export function compilePolicy(settings: SyscallSettings, architecture: Architecture): SyscallPolicy {
  const problems = settingsProblems(settings);
  if (problems.length > 0) throw RootcellarError.ofProblems(problems);
  const rules = new Map<string, readonly SyscallRule[]>();
  for (const word of [...(PROFILES.get(settings.profile)?.groups ?? []), ...settings.allow]) addWord(rules, word);
  for (const word of settings.deny) denyWord(rules, word);
  const entries = [...rules]
    .filter(([name, own]) => own.length > 0 && syscallNumber(architecture, name) !== undefined)
    .toSorted(([a], [b]) => byteOrder(a, b));
  return { profile: settings.profile, rules: new Map(entries), otherwise: NOTIFY, unassigned: errno('ENOSYS') };
}

/** Every word that `SyscallSettings` may hold, each list in byte order. */
export function policyVocabulary(): SyscallVocabulary {
  return {
    profiles: [...PROFILES.keys()].toSorted(byteOrder),
    groups: [...SYSCALL_GROUPS.keys()].toSorted(byteOrder),
    syscalls: syscallNames(),
    namesOf: namesOfNumber,
  };
}

/** The calls that the policy allows whatever their arguments are, and should not. In byte order; empty for our profiles. */
export function dangerousCalls(policy: SyscallPolicy): readonly DangerousCall[] {
  return [...policy.rules].flatMap(([name, rules]) => {
    const reason = DANGEROUS_CALLS.get(name);
    return reason !== undefined && rules.some(allowsEverything) ? [{ name, reason }] : [];
  });
}

/**
 * The same policy for a host where no supervisor can listen: what would be reported is answered EPERM and stays unknown.
 */
export function withoutListener(policy: SyscallPolicy): SyscallPolicy {
  const rules = [...policy.rules].map(
    ([name, own]) => [name, own.map((rule) => ({ ...rule, action: withoutNotice(rule.action) }))] as const,
  );
  return {
    ...policy,
    rules: new Map(rules),
    otherwise: withoutNotice(policy.otherwise),
    unassigned: withoutNotice(policy.unassigned),
  };
}

function withoutNotice(action: SyscallAction): SyscallAction {
  return action.kind === 'notify' ? errno('EPERM') : action;
}

function addWord(rules: Map<string, readonly SyscallRule[]>, word: string): void {
  const group = SYSCALL_GROUPS.get(word);
  if (group === undefined) rules.set(word, [{ when: [], action: ALLOW }]);
  for (const name of group?.names ?? []) rules.set(name, mergeRules(rules.get(name) ?? [], group?.rules(name) ?? []));
}

/** What either allows is allowed. */
function mergeRules(a: readonly SyscallRule[], b: readonly SyscallRule[]): readonly SyscallRule[] {
  const all = [...a, ...b.filter((rule) => !a.includes(rule))];
  const everything = all.find(allowsEverything);
  if (everything !== undefined) return [everything];
  return [
    ...all.filter(({ action }) => action.kind === 'allow'),
    ...all.filter(({ action }) => action.kind !== 'allow'),
  ];
}

function denyWord(rules: Map<string, readonly SyscallRule[]>, word: string): void {
  for (const name of SYSCALL_GROUPS.get(word)?.names ?? [word]) {
    const left = (rules.get(name) ?? []).filter(({ action }) => action.kind !== 'allow');
    rules.set(name, left);
  }
}

function allowsEverything(rule: SyscallRule): boolean {
  return rule.action.kind === 'allow' && rule.when.length === 0;
}

function settingsProblems(settings: SyscallSettings): readonly Problem[] {
  const vocabulary = policyVocabulary();
  const profile = wordProblem('profile', settings.profile, vocabulary.profiles);
  const words = (key: 'allow' | 'deny'): readonly (Problem | undefined)[] =>
    settings[key].map((word) =>
      word.startsWith('@')
        ? wordProblem(`${key}: group`, word, vocabulary.groups)
        : (numberProblem(key, word) ?? wordProblem(`${key}: system call`, word, vocabulary.syscalls)),
    );
  return [profile, ...words('allow'), ...words('deny')].filter((problem) => problem !== undefined);
}

function wordProblem(what: string, word: string, known: readonly string[]): Problem | undefined {
  if (known.includes(word)) return undefined;
  const shown = word.length > LONGEST_WORD ? `${word.slice(0, LONGEST_WORD)}…` : word;
  const near = closestWord(shown, known);
  const choice = known.length > LONGEST_CHOICE ? 'write its name as in `man 2 syscalls`' : `use ${known.join(', ')}`;
  return {
    code: 'E_POLICY',
    message: `sandbox.syscalls.${what} \`${shown}\` does not exist`,
    hint: near === undefined ? choice : `did you mean \`${near}\`?`,
  };
}

/** Longest word that is shown and compared whole, and longest list that is shown whole. */
const LONGEST_WORD = 64;
const LONGEST_CHOICE = 20;

function numberProblem(key: string, word: string): Problem | undefined {
  if (!/^\d{1,10}$/.test(word)) return undefined;
  return {
    code: 'E_POLICY',
    message: `sandbox.syscalls.${key}: \`${word}\` is a number, and numbers differ between architectures`,
    hint: nameHint(namesOfNumber(Number(word))) ?? 'write the name of the system call',
  };
}
