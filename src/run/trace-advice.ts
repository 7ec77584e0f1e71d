import type { Architecture } from '../base/architecture.ts';
import { byteOrder } from '../base/byte-order.ts';
import type { NetworkSettings } from '../recipe/network.ts';
import type { SyscallSettings } from '../recipe/recipe.ts';
import { AUDIT_ARCHITECTURE, RETURN, type BpfInstruction } from './bpf.ts';
import { DANGEROUS_CALLS } from './dangerous-calls.ts';
import { compileFilter } from './filter-compiler.ts';
import { simulateFilter } from './filter-simulator.ts';
import { networkPolicy } from './network-policy.ts';
import type { TracedCall } from './status-reader.ts';
import { SYSCALL_GROUPS } from './syscall-groups.ts';
import { syscallName } from './syscall-tables.ts';

/** A system call that a program made and its profile does not allow. */
export interface NeededCall {
  readonly syscall: string;
  readonly nr: number;
  readonly count: number;
  /** The word for `sandbox.syscalls.allow`; undefined: nothing that could be advised allows it. */
  readonly allow: string | undefined;
  /** What allowing it gives away; undefined when nothing speaks against it. */
  readonly danger: string | undefined;
}

export interface TraceQuestion {
  readonly calls: readonly TracedCall[];
  readonly settings: SyscallSettings;
  /** None when undefined. */
  readonly network?: NetworkSettings | undefined;
  readonly architecture: Architecture;
}

/**
 * What has to be added to a profile for these calls, in byte order of name. A call gets its own name where that alone is no
 * danger, else a group that allows it under conditions which the traced arguments meet; a group that is there for one call
 * serves others too. Each suggestion is proved by the filter that would come of it.
 */
export function traceAdvice({ calls, settings, network = 'none', architecture }: TraceQuestion): readonly NeededCall[] {
  const filters = new Map<string, readonly BpfInstruction[]>();
  const filterWith = (word: string): readonly BpfInstruction[] => {
    const known = filters.get(word);
    if (known !== undefined) return known;
    const syscalls = { ...settings, allow: [...settings.allow, word] };
    const policy = networkPolicy({ syscalls, network }, architecture);
    const { instructions } = compileFilter(policy, architecture);
    filters.set(word, instructions);
    return instructions;
  };
  const dangerous = calls.filter((call) => DANGEROUS_CALLS.has(nameOf(call, architecture)));
  const choose = (call: TracedCall, first: readonly string[]): string | undefined =>
    [...first, ...candidates(nameOf(call, architecture))].find((word) => allows(filterWith(word), call));
  const groups = new Set(dangerous.flatMap((call) => choose(call, []) ?? []));
  const needed = new Map<string, NeededCall>();
  for (const call of calls) {
    const syscall = nameOf(call, architecture);
    const allow = choose(call, [...groups]);
    const row = { syscall, nr: call.nr, count: call.count, allow, danger: DANGEROUS_CALLS.get(syscall) };
    const key = `${syscall} ${allow ?? ''}`;
    needed.set(key, { ...row, count: row.count + (needed.get(key)?.count ?? 0) });
  }
  return [...needed.values()].toSorted(
    (a, b) => byteOrder(a.syscall, b.syscall) || byteOrder(a.allow ?? '', b.allow ?? ''),
  );
}

/** The words to add, each once, in byte order. */
export function neededWords(needed: readonly NeededCall[]): readonly string[] {
  return [...new Set(needed.flatMap(({ allow }) => allow ?? []))].toSorted(byteOrder);
}

/** A name first: it allows nothing else. Then groups, the smaller first. */
function candidates(syscall: string): readonly string[] {
  const groups = [...SYSCALL_GROUPS].filter(([, { names }]) => names.includes(syscall));
  const words = groups.toSorted(([, a], [, b]) => a.names.length - b.names.length).map(([word]) => word);
  const isName = !syscall.startsWith('syscall_');
  return isName && !DANGEROUS_CALLS.has(syscall) ? [syscall, ...words] : words;
}

function allows(filter: readonly BpfInstruction[], { auditArch, nr, arguments: values }: TracedCall): boolean {
  const call = { number: nr >>> 0, auditArchitecture: auditArch, arguments: values };
  return simulateFilter(filter, call) === RETURN.allow;
}

function nameOf({ auditArch, nr }: TracedCall, architecture: Architecture): string {
  const isOwn = auditArch === AUDIT_ARCHITECTURE[architecture];
  return (isOwn ? syscallName(architecture, nr) : undefined) ?? `syscall_${nr}`;
}
