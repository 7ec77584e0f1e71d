import { execFileSync } from 'node:child_process';
import { ARCHITECTURE_FACTS, type Architecture } from '../../src/base/architecture.ts';
import { type BpfInstruction } from '../../src/run/bpf.ts';
import { decodeFilter } from '../../src/run/filter-simulator.ts';
import { withoutListener, type SyscallPolicy } from '../../src/run/policy.ts';
import {
  errnoNumber,
  type ArgumentCondition,
  type SyscallAction,
  type SyscallRule,
} from '../../src/run/syscall-rule.ts';
import { compileProgram } from './policy-cases.ts';

/** The program that asks libseccomp; undefined where it cannot be made. */
export const ORACLE: string | undefined = compileProgram('seccomp-oracle', ['-lseccomp']);

/** The program that libseccomp makes of a policy that `expressible` has gone over, as bytes for the kernel. */
export function compileWithLibseccomp(policy: SyscallPolicy, architecture: Architecture): Uint8Array {
  return oracle('export', policyLines(policy, architecture));
}

/** libseccomp compares with "greater" too, which our programs never use: k is raised by one to mean the same. */
export function decodeTheirs(program: Uint8Array): readonly BpfInstruction[] {
  const copy = new Uint8Array(program);
  const view = new DataView(copy.buffer);
  for (let offset = 0; offset < program.length; offset += 8) {
    if (view.getUint16(offset, true) !== JUMP_GREATER) continue;
    view.setUint16(offset, JUMP_AT_LEAST, true);
    view.setUint32(offset + 4, view.getUint32(offset + 4, true) + 1, true);
  }
  return decodeFilter(copy);
}

const [JUMP_GREATER, JUMP_AT_LEAST] = [0x25, 0x35];

/**
 * The part of a policy that libseccomp can say: names that it knows, one default for all numbers, and for each call rules
 * that do not depend on their order: all with one action, other than the default, and at most one condition an argument.
 */
export function expressible(policy: SyscallPolicy): SyscallPolicy {
  const known = new Set(
    oracle('names', [...policy.rules.keys()])
      .toString()
      .split('\n'),
  );
  const quiet = withoutListener(policy);
  const rules = [...quiet.rules]
    .filter(([name]) => known.has(name))
    .map(([name, own]) => [name, own.filter((rule) => isExpressible(rule, own, quiet.otherwise))] as const);
  return { ...quiet, rules: new Map(rules.filter(([, own]) => own.length > 0)), unassigned: quiet.otherwise };
}

function isExpressible(rule: SyscallRule, all: readonly SyscallRule[], otherwise: SyscallAction): boolean {
  const args = rule.when.map((condition) => condition.argument);
  if (new Set(args).size < args.length || rule.when.some(({ values }) => values.length === 0)) return false;
  if (sameAction(rule.action, otherwise)) return false;
  return sameAction(rule.action, all[0]?.action) && (rule.when.length > 0 || all[0] === rule);
}

function sameAction(a: SyscallAction, b: SyscallAction | undefined): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function policyLines(policy: SyscallPolicy, architecture: Architecture): readonly string[] {
  const rules = [...policy.rules].flatMap(([name, own]) =>
    own.flatMap((rule) =>
      combinations(rule.when).map((comparisons) => ['rule', actionWord(rule.action), name, ...comparisons].join(' ')),
    ),
  );
  return [`arch ${ARCHITECTURE_FACTS[architecture].machine}`, `default ${actionWord(policy.otherwise)}`, ...rules];
}

/** A rule of libseccomp has one value for each condition. */
function combinations(when: readonly ArgumentCondition[]): readonly (readonly string[])[] {
  return when.reduce<readonly (readonly string[])[]>(
    (rows, { argument, mask, values }) =>
      rows.flatMap((row) =>
        [...new Set(values)].map((value) => row.concat(`${argument} ${mask.toString(16)} ${value.toString(16)}`)),
      ),
    [[]],
  );
}

function actionWord(action: SyscallAction): string {
  return action.kind === 'errno' ? String(errnoNumber(action.name)) : action.kind;
}

function oracle(verb: 'names' | 'export', lines: readonly string[]): Buffer {
  return execFileSync(ORACLE ?? '', [verb], { input: `${lines.join('\n')}\n`, maxBuffer: 2 ** 20 });
}
