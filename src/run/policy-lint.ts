import { ARCHITECTURES } from '../base/architecture.ts';
import type { NetworkMode } from '../recipe/network.ts';
import type { SyscallSettings } from '../recipe/recipe.ts';
import { DANGEROUS_SETS } from './dangerous-sets.ts';
import { compilePolicy, dangerousCalls, type SyscallPolicy } from './policy.ts';
import { SYSCALL_GROUPS } from './syscall-groups.ts';

/** Settings that can be used, and should not without need. */
export interface PolicyFinding {
  /** What is allowed and what that gives away. */
  readonly message: string;
  readonly hint: string;
  /** The first word of `allow` that brings it; undefined when the profile does. */
  readonly word: string | undefined;
}

export interface LintedSettings {
  readonly syscalls: SyscallSettings;
  /** As in the recipe. */
  readonly network: NetworkMode;
}

/**
 * What is dangerous in settings, on any architecture, each once: single calls first, then sets of them. Empty for the profiles as
 * they are. Throws E_POLICY like `compilePolicy`.
 */
export function lintPolicy(settings: LintedSettings): readonly PolicyFinding[] {
  const { syscalls, network } = settings;
  if (syscalls.allow.length === 0 && network === 'none') return [];
  const findings = ARCHITECTURES.flatMap((architecture) => {
    const policy = compilePolicy(syscalls, architecture);
    return callFindings(policy, syscalls).concat(setFindings(policy, settings));
  });
  return [...new Map(findings.map((finding) => [finding.message, finding])).values()];
}

/** Those that are named by their own name: what a group brings is in its description. */
function callFindings(policy: SyscallPolicy, { allow }: SyscallSettings): readonly PolicyFinding[] {
  return dangerousCalls(policy)
    .filter(({ name }) => allow.includes(name))
    .map(({ name, reason }) => {
      const group = groupFor(name);
      const hint =
        group === undefined
          ? `leave ${name} out, or run only programs that are trusted`
          : `write "${group}" in its place`;
      return { message: `\`${name}\` ${reason}`, hint, word: name };
    });
}

function setFindings(policy: SyscallPolicy, { syscalls, network }: LintedSettings): readonly PolicyFinding[] {
  return DANGEROUS_SETS.flatMap((set) => {
    if (set.network !== undefined && set.network !== network) return [];
    const present = set.calls.map((calls) => calls.find((call) => isWhole(policy, call)));
    const names = present.filter((call) => call !== undefined);
    if (names.length < present.length) return [];
    const words = names.map((name) => wordFor(name, syscalls.allow) ?? `profile ${syscalls.profile}`);
    const where = set.network === undefined ? '' : ` with \`network: ${set.network}\``;
    const shown = names.map((name) => `\`${name}\``).join(' and ');
    return [
      {
        message: `${shown}${where}: ${set.reason}`,
        hint: `leave out ${[...new Set(words), ...(where === '' ? [] : ['the network'])].join(' or ')}`,
        word: syscalls.allow.find((word) => words.includes(word)),
      },
    ];
  });
}

function isWhole(policy: SyscallPolicy, call: string): boolean {
  return policy.rules.get(call)?.some(({ when, action }) => when.length === 0 && action.kind === 'allow') === true;
}

/** The word of `allow` that stands for the call, its own name first. */
function wordFor(call: string, allow: readonly string[]): string | undefined {
  return allow.find((word) => word === call) ?? allow.find((word) => SYSCALL_GROUPS.get(word)?.names.includes(call));
}

/** A group that allows the call: under conditions, or with what belongs to it. */
function groupFor(call: string): string | undefined {
  const groups = [...SYSCALL_GROUPS].filter(([, group]) => {
    return group.names.includes(call) && group.rules(call).some(({ action }) => action.kind === 'allow');
  });
  return groups.map(([name]) => name)[0];
}
