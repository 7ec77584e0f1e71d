import { ARCHITECTURES } from './base/architecture.ts';
import type { ExplainContext, Story } from './explain-thing.ts';
import type { SyscallSettings } from './recipe/recipe.ts';
import { DANGEROUS_CALLS } from './run/dangerous-calls.ts';
import { callVerdict } from './run/filter-text.ts';
import { networkPolicy } from './run/network-policy.ts';
import { PROFILES } from './run/profiles.ts';
import { SYSCALL_GROUPS } from './run/syscall-groups.ts';
import { syscallNote } from './run/syscall-notes.ts';
import { syscallName, syscallNumber } from './run/syscall-tables.ts';

type Asked = Pick<ExplainContext, 'sandbox' | 'architecture' | 'name'>;

/**
 * What a run of the image may do with a system call, who is known to need it and what it risks. `thing` is a name, or a number,
 * which is another call on each architecture.
 */
export function explainSyscall(context: Asked, thing: string): readonly Story[] {
  if (!/^\d{1,5}$/.test(thing)) return callStories(context, thing);
  const names = ARCHITECTURES.flatMap((architecture) => syscallName(architecture, Number(thing)) ?? []);
  return [...new Set(names)].flatMap((name) => callStories(context, name));
}

function callStories(context: Asked, call: string): readonly Story[] {
  const { sandbox, architecture, name } = context;
  const numbers = ARCHITECTURES.flatMap((one) => {
    const number = syscallNumber(one, call);
    return number === undefined ? [] : [{ architecture: one, number }];
  });
  if (numbers.length === 0) return [];
  const numbersText = numbers.map(({ architecture: one, number }) => `${number} on ${one}`).join(', ');
  const facts = { name: call, profile: sandbox.syscalls.profile, numbers };
  if (syscallNumber(architecture, call) === undefined) {
    const lines = [
      `${call}: no system call of ${architecture}, which ${name} is for; ${numbersText}`,
      ...noteLines(call),
    ];
    return [{ kind: 'syscall', lines, facts: { ...facts, verdict: 'absent', ...noteFacts(call) } }];
  }
  const policy = networkPolicy(sandbox, architecture);
  const { verdict, detail } = callVerdict(policy, call);
  const remedy = verdict === 'allowed' ? undefined : remedyFor(call, sandbox.syscalls);
  const groups = groupsOf(call);
  const lines = [
    `${call}: a system call, ${verdict} in cells of ${name} by profile \`${policy.profile}\``,
    ...(detail === undefined ? [] : [`  ${verdict === 'denied' ? 'answered' : 'arguments'}: ${detail}`]),
    `  number: ${numbersText}`,
    ...groups.map((group) => `  in ${group}: ${SYSCALL_GROUPS.get(group)?.reason ?? ''}`),
    ...(verdict === 'allowed' && syscallNote(call) === undefined ? [] : noteLines(call)),
    ...(remedy === undefined ? [] : [`  to allow ${verdict === 'denied' ? 'it' : 'all of it'}, ${remedy}`]),
  ];
  return [{ kind: 'syscall', lines, facts: { ...facts, verdict, detail, groups, remedy, ...noteFacts(call) } }];
}

function groupsOf(call: string): readonly string[] {
  return [...SYSCALL_GROUPS].filter(([, { names }]) => names.includes(call)).map(([group]) => group);
}

function noteLines(call: string): readonly string[] {
  const { needed_by: users, risk } = noteFacts(call);
  return [
    `  needed by: ${users ?? 'nothing that is known here; `rootcellar trace` tells whether a program makes it'}`,
    `  risk: ${risk ?? 'none that is known to reach beyond the cell'}`,
  ];
}

function noteFacts(call: string): { readonly needed_by: string | undefined; readonly risk: string | undefined } {
  const note = syscallNote(call);
  return { needed_by: note?.users, risk: note?.risk ?? DANGEROUS_CALLS.get(call) };
}

/** A dangerous call comes by a group, which has conditions for it; where none has it, only its name is left. */
function remedyFor(call: string, { profile, allow, deny }: SyscallSettings): string {
  const denying = deny.find((word) => word === call || SYSCALL_GROUPS.get(word)?.names.includes(call) === true);
  if (denying !== undefined) return `take ${denying} out of \`sandbox.syscalls.deny\` of the recipe`;
  const there = new Set([...(PROFILES.get(profile)?.groups ?? []), ...allow]);
  const group = groupsOf(call).find((word) => !there.has(word) && allowsSome(word, call));
  if (!DANGEROUS_CALLS.has(call)) return `add ${call} to \`sandbox.syscalls.allow\` of the recipe`;
  if (group === undefined) return `add ${call} to \`sandbox.syscalls.allow\` of the recipe, at that risk`;
  const isWhole =
    SYSCALL_GROUPS.get(group)
      ?.rules(call)
      .some(({ when }) => when.length === 0) === true;
  const what = isWhole ? 'which allows all of it' : 'which has conditions for it';
  return `add "${group}" to \`sandbox.syscalls.allow\` of the recipe, ${what}`;
}

function allowsSome(group: string, call: string): boolean {
  return (
    SYSCALL_GROUPS.get(group)
      ?.rules(call)
      .some(({ action }) => action.kind === 'allow') === true
  );
}

/** A group by its name with `@`: what it is for, which profiles have it, and what of it the image's cells may do. */
export function explainGroup({ sandbox, architecture, name }: Asked, thing: string): readonly Story[] {
  const group = SYSCALL_GROUPS.get(thing);
  if (group === undefined) return [];
  const policy = networkPolicy(sandbox, architecture);
  const profiles = [...PROFILES].filter(([, { groups }]) => groups.includes(thing)).map(([profile]) => profile);
  const calls = group.names
    .filter((call) => syscallNumber(architecture, call) !== undefined)
    .map((call) => {
      const { verdict, detail } = callVerdict(policy, call);
      return { name: call, verdict, detail };
    });
  const plain = (['allowed', 'denied'] as const).flatMap((verdict) => {
    const names = calls.filter((one) => one.verdict === verdict).map((one) => one.name);
    return names.length === 0 ? [] : [`  ${verdict}: ${names.join(' ')}`];
  });
  const lines = [
    `${thing}: a group of ${calls.length} system calls on ${architecture}: ${group.reason}`,
    `  ${profiles.length === 0 ? 'in no profile' : `in the profiles ${profiles.join(', ')}`}; in cells of ${name}, by profile \`${policy.profile}\`:`,
    ...plain,
    ...calls.flatMap((one) =>
      one.verdict === 'allowed for some arguments' ? [`  allowed in part: ${one.name}: ${one.detail ?? ''}`] : [],
    ),
    ...(calls.every(({ verdict }) => verdict === 'denied') && group.names.some((call) => allowsSome(thing, call))
      ? [`  to allow it, add "${thing}" to \`sandbox.syscalls.allow\` of the recipe`]
      : []),
  ];
  return [{ kind: 'group', lines, facts: { name: thing, reason: group.reason, profiles, calls } }];
}
