import type { Architecture } from '../base/architecture.ts';
import { RootcellarError } from '../base/rootcellar-error.ts';
import {
  argumentOffset,
  AUDIT_ARCHITECTURE,
  BPF,
  DATA_OFFSET,
  encodeProgram,
  listProgram,
  LONGEST_PROGRAM,
  RETURN,
  type BpfInstruction,
} from './bpf.ts';
import { filterAssembler, type FilterAssembler, type Label } from './filter-assembler.ts';
import type { SyscallPolicy } from './policy.ts';
import { errnoNumber, KILL, type ArgumentCondition, type SyscallAction, type SyscallRule } from './syscall-rule.ts';
import { highestSyscall, syscallName, syscallNumber } from './syscall-tables.ts';

export interface CompiledFilter {
  readonly architecture: Architecture;
  /** `struct sock_filter[]`, little-endian, for seccomp(2). */
  readonly program: Uint8Array;
  readonly instructions: readonly BpfInstruction[];
  /** The program for reading, one line each. */
  readonly listing: string;
}

/** System call numbers from `first` up to the next range, all treated alike. */
interface NumberRange {
  readonly first: number;
  readonly target: Label;
}

/** From here on, numbers on amd64 are x32's; source: `__X32_SYSCALL_BIT` of asm/unistd.h. */
const FIRST_X32 = 0x4000_0000;
/** Of no call by any rules; a tracer sets it to skip a call, seccomp(2). */
const MINUS_ONE = 0xffff_ffff;

/**
 * The policy as a classic BPF program for seccomp: a wrong architecture and x32 kill the process, everything else is found
 * by a balanced search over ranges of numbers. The same policy always gives the same bytes.
 * `policy` must have been compiled for `architecture`. Throws E_POLICY when the program exceeds the kernel's 4096 instructions.
 */
export function compileFilter(policy: SyscallPolicy, architecture: Architecture): CompiledFilter {
  const assembler = filterAssembler();
  const kill = actionLabel(assembler, KILL);
  const ranges = numberRanges(assembler, policy, architecture);
  const byNumber = assembler.load(DATA_OFFSET.number, searchTree(assembler, ranges, architecture), 'number');
  const checked = assembler.branch({
    code: BPF.JUMP_EQUAL,
    k: AUDIT_ARCHITECTURE[architecture],
    yes: byNumber,
    otherwise: kill,
    note: architecture,
  });
  const instructions = assembler.finish(assembler.load(DATA_OFFSET.architecture, checked, 'architecture'));
  if (instructions.length > LONGEST_PROGRAM) throw tooLong(instructions.length);
  return { architecture, program: encodeProgram(instructions), instructions, listing: listProgram(instructions) };
}

function tooLong(length: number): RootcellarError {
  return new RootcellarError(
    'E_POLICY',
    `sandbox.syscalls: the filter has ${length} instructions, the kernel takes ${LONGEST_PROGRAM}`,
    { hint: 'name fewer system calls under `allow` and `deny`' },
  );
}

/** All numbers from 0 to 2³²−1, neighbours with the same target joined. */
function numberRanges(
  assembler: FilterAssembler,
  policy: SyscallPolicy,
  architecture: Architecture,
): readonly NumberRange[] {
  const unassigned = actionLabel(assembler, policy.unassigned);
  const targets = callTargets(assembler, policy, architecture);
  const highest = highestSyscall(architecture);
  const ranges: NumberRange[] = [];
  const add = (first: number, target: Label): void => {
    if (ranges.at(-1)?.target !== target) ranges.push({ first, target });
  };
  for (let number = 0; number <= highest; number += 1) add(number, targets.get(number) ?? unassigned);
  add(highest + 1, unassigned);
  if (architecture === 'amd64') add(FIRST_X32, actionLabel(assembler, KILL));
  add(MINUS_ONE, unassigned);
  return ranges;
}

function callTargets(
  assembler: FilterAssembler,
  policy: SyscallPolicy,
  architecture: Architecture,
): ReadonlyMap<number, Label> {
  const otherwise = actionLabel(assembler, policy.otherwise);
  const targets = new Map<number, Label>();
  for (let number = 0; number <= highestSyscall(architecture); number += 1) {
    if (syscallName(architecture, number) !== undefined) targets.set(number, otherwise);
  }
  for (const [name, rules] of policy.rules) {
    const number = syscallNumber(architecture, name);
    if (number === undefined) throw new Error(`unreachable: ${architecture} has no ${name}`);
    targets.set(number, rulesLabel(assembler, rules, otherwise));
  }
  return targets;
}

function searchTree(assembler: FilterAssembler, ranges: readonly NumberRange[], architecture: Architecture): Label {
  const middle = Math.floor(ranges.length / 2);
  const [first, pivot] = [ranges[0], ranges[middle]];
  if (first === undefined || pivot === undefined) throw new Error('unreachable: no numbers');
  if (middle === 0) return first.target;
  const otherwise = searchTree(assembler, ranges.slice(0, middle), architecture);
  const yes = searchTree(assembler, ranges.slice(middle), architecture);
  const note = syscallName(architecture, pivot.first);
  return assembler.branch({ code: BPF.JUMP_AT_LEAST, k: pivot.first, yes, otherwise, note });
}

/** Tries the rules in order; `otherwise` when none matches. */
function rulesLabel(assembler: FilterAssembler, rules: readonly SyscallRule[], otherwise: Label): Label {
  const last = rules.findIndex((rule) => rule.when.length === 0);
  return (last < 0 ? rules : rules.slice(0, last + 1)).reduceRight((next, rule) => {
    const action = actionLabel(assembler, rule.action);
    return rule.when.reduceRight(
      (yes, condition) => conditionLabel(assembler, condition, { yes, otherwise: next }),
      action,
    );
  }, otherwise);
}

interface Choice {
  readonly yes: Label;
  readonly otherwise: Label;
}

/** Compares the lower half of the argument, and before it the higher half where the kernel uses that too. */
function conditionLabel(assembler: FilterAssembler, condition: ArgumentCondition, choice: Choice): Label {
  const { argument, width, mask, values } = condition;
  const low = { offset: argumentOffset(argument, 'low'), mask: low32(mask) };
  const { yes, otherwise } = choice;
  if (width === 32) {
    return halfLabel(assembler, { ...low, tests: values.map((value) => ({ value: low32(value), yes })), otherwise });
  }
  const tests = [...new Set(values.map((value) => low32(value >> 32n)))].map((high) => {
    const lows = values.filter((value) => low32(value >> 32n) === high);
    const lowTests = lows.map((value) => ({ value: low32(value), yes }));
    return { value: high, yes: halfLabel(assembler, { ...low, tests: lowTests, otherwise }) };
  });
  return halfLabel(assembler, {
    offset: argumentOffset(argument, 'high'),
    mask: low32(mask >> 32n),
    tests,
    otherwise,
  });
}

interface HalfTests {
  readonly offset: number;
  readonly mask: number;
  /** Where each value leads to. */
  readonly tests: readonly { readonly value: number; readonly yes: Label }[];
  readonly otherwise: Label;
}

function halfLabel(assembler: FilterAssembler, { offset, mask, tests, otherwise }: HalfTests): Label {
  const chain = tests.reduceRight(
    (next, { value, yes }) => assembler.branch({ code: BPF.JUMP_EQUAL, k: value, yes, otherwise: next }),
    otherwise,
  );
  return assembler.load(offset, mask === 0xffff_ffff ? chain : assembler.and(mask, chain));
}

function low32(value: bigint): number {
  return Number(BigInt.asUintN(32, value));
}

const RETURNS = {
  allow: { value: RETURN.allow, note: 'allow' },
  notify: { value: RETURN.notify, note: 'notify' },
  kill: { value: RETURN.killProcess, note: 'kill the process' },
} as const;

function actionLabel(assembler: FilterAssembler, action: SyscallAction): Label {
  if (action.kind === 'errno') return assembler.returning(RETURN.errno + errnoNumber(action.name), action.name);
  const { value, note } = RETURNS[action.kind];
  return assembler.returning(value, note);
}
