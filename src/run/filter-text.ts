import type { Architecture } from '../base/architecture.ts';
import { byteOrder } from '../base/byte-order.ts';
import { dangerousCalls, type SyscallPolicy } from './policy.ts';
import type { SyscallAction, SyscallRule } from './syscall-rule.ts';

/** What a policy lets a program do, by name, in lines of at most 100 columns; ends with a line feed. */
export function policyText(policy: SyscallPolicy, architecture: Architecture): string {
  const rules = [...policy.rules];
  const whole = rules.filter(([, own]) => actionAtOnce(own)?.kind === 'allow').map(([name]) => name);
  const partly = rules.filter(([, own]) => actionAtOnce(own) === undefined);
  const sections = [
    `profile ${policy.profile} on ${architecture}`,
    section(`allowed (${whole.length}):`, words(whole)),
    section(
      `allowed in part (${partly.length}):`,
      partly.flatMap(([name, own]) => wrapped(`${name}: ${partText(policy, own)}`)),
    ),
    ...quietAnswers(rules).map(([answer, names]) => section(`answered ${answer}, not reported:`, words(names))),
    `numbers without a name: ${actionText(policy.unassigned)}`,
    `everything else: ${actionText(policy.otherwise)}`,
    ...dangerousCalls(policy).map(({ name, reason }) => `warning: \`${name}\` ${reason}`),
  ];
  return sections.map((text) => `${text}\n`).join('');
}

export interface CallVerdict {
  readonly verdict: 'allowed' | 'allowed for some arguments' | 'denied';
  /** What the verdict leaves open: for which arguments, and how the others are answered; undefined when nothing. */
  readonly detail: string | undefined;
}

/** What a program may do with one call, and how it is told that it may not. */
export function callVerdict(policy: SyscallPolicy, name: string): CallVerdict {
  const rules = policy.rules.get(name);
  const action = rules === undefined ? policy.otherwise : actionAtOnce(rules);
  if (rules === undefined || action !== undefined) {
    if (action?.kind === 'allow') return { verdict: 'allowed', detail: undefined };
    return { verdict: 'denied', detail: action?.kind === 'errno' ? `${action.name}, not reported` : 'EPERM, reported' };
  }
  const isAllowed = rules.some((rule) => rule.action.kind === 'allow');
  return { verdict: isAllowed ? 'allowed for some arguments' : 'denied', detail: partText(policy, rules) };
}

/** The action of a call whose arguments do not matter. */
function actionAtOnce(rules: readonly SyscallRule[]): SyscallAction | undefined {
  const [first] = rules;
  return first?.when.length === 0 ? first.action : undefined;
}

function quietAnswers(
  rules: readonly (readonly [string, readonly SyscallRule[]])[],
): readonly (readonly [string, readonly string[]])[] {
  const names = new Map<string, string[]>();
  for (const [name, own] of rules) {
    const action = actionAtOnce(own);
    if (action?.kind === 'errno') names.set(action.name, [...(names.get(action.name) ?? []), name]);
  }
  return [...names].toSorted(([a], [b]) => byteOrder(a, b));
}

function partText(policy: SyscallPolicy, rules: readonly SyscallRule[]): string {
  const parts = rules.map(({ when, action, meaning }) => {
    const what = when.length === 0 ? 'else' : (meaning ?? 'some arguments');
    return action.kind === 'allow' ? what : `${what}: ${actionText(action)}`;
  });
  const closed = rules.some((rule) => rule.when.length === 0);
  return [...parts, ...(closed ? [] : [`else: ${actionText(policy.otherwise)}`])].join('; ');
}

const ACTION_TEXTS = { allow: 'allowed', notify: 'EPERM, reported', kill: 'the process is killed' } as const;

function actionText(action: SyscallAction): string {
  return action.kind === 'errno' ? action.name : ACTION_TEXTS[action.kind];
}

function section(title: string, lines: readonly string[]): string {
  return [title, ...(lines.length === 0 ? ['none'] : lines).map((line) => `  ${line}`)].join('\n');
}

/** A text in lines that fit; all but the first are indented. */
function wrapped(text: string): readonly string[] {
  return words(text.split(' ')).map((line, index) => (index === 0 ? line : `  ${line}`));
}

/** Names joined by spaces into lines that fit. */
function words(names: readonly string[]): readonly string[] {
  const lines: string[] = [];
  for (const name of names) {
    const line = lines.at(-1);
    if (line === undefined || line.length + name.length + 1 > LONGEST_LINE) lines.push(name);
    else lines[lines.length - 1] = `${line} ${name}`;
  }
  return lines;
}

/** With both indents, 100. */
const LONGEST_LINE = 96;
