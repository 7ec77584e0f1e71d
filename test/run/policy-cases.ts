import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import type { Architecture } from '../../src/base/architecture.ts';
import { AUDIT_ARCHITECTURE } from '../../src/run/bpf.ts';
import type { SyscallData } from '../../src/run/filter-simulator.ts';
import type { SyscallPolicy } from '../../src/run/policy.ts';
import {
  ALLOW,
  errno,
  KILL,
  NOTIFY,
  type ArgumentCondition,
  type SyscallAction,
  type SyscallRule,
} from '../../src/run/syscall-rule.ts';
import { syscallName, syscallNames, syscallNumber } from '../../src/run/syscall-tables.ts';

/** What the table says, without any program: the yardstick for compiled filters. */
export function evaluatePolicy(policy: SyscallPolicy, architecture: Architecture, call: SyscallData): SyscallAction {
  if (call.auditArchitecture !== AUDIT_ARCHITECTURE[architecture]) return KILL;
  if (architecture === 'amd64' && call.number >= 2 ** 30 && call.number !== 2 ** 32 - 1) return KILL;
  const name = syscallName(architecture, call.number);
  if (name === undefined) return policy.unassigned;
  const rules = policy.rules.get(name) ?? [];
  return rules.find((rule) => rule.when.every((condition) => holds(condition, call)))?.action ?? policy.otherwise;
}

function holds({ argument, width, mask, values }: ArgumentCondition, call: SyscallData): boolean {
  return values.includes(BigInt.asUintN(width, call.arguments[argument] ?? 0n) & mask);
}

/** Numbers at which something could change, and all small ones. */
export const NUMBERS: readonly number[] = [
  ...Array.from({ length: 1024 }, (_, number) => number),
  0x3fff_ffff,
  ...Array.from({ length: 600 }, (_, number) => 0x4000_0000 + number),
  0x4000_0fff,
  0x7fff_ffff,
  0x8000_0000,
  0x8000_0001,
  0xbfff_ffff,
  0xc000_0000,
  0xffff_fffe,
  0xffff_ffff,
];

/** Calls with arguments on, beside and above each boundary of the policy's conditions. */
export function boundaryCalls(policy: SyscallPolicy, architecture: Architecture): readonly SyscallData[] {
  const auditArchitecture = AUDIT_ARCHITECTURE[architecture];
  return [...policy.rules].flatMap(([name, rules]) => {
    const number = syscallNumber(architecture, name) ?? -1;
    return argumentVectors(rules).map((values) => ({ number, auditArchitecture, arguments: values }));
  });
}

function argumentVectors(rules: readonly SyscallRule[]): readonly (readonly bigint[])[] {
  const conditions = rules.flatMap((rule) => rule.when);
  const fitting = rules.map((rule) => rule.when.map((condition) => [condition.argument, condition.values[0] ?? 0n]));
  const starts = [[], ...fitting].map((pairs) => {
    const start = [0n, 0n, 0n, 0n, 0n, 0n];
    for (const [argument, value] of pairs) start[Number(argument)] = BigInt(value ?? 0n);
    return start;
  });
  const varied = starts.flatMap((start) =>
    conditions.flatMap((condition) =>
      boundaryValues(condition).map((value) => start.with(condition.argument, BigInt.asUintN(64, value))),
    ),
  );
  return [...starts, Array.from({ length: 6 }, () => 2n ** 64n - 1n), ...varied];
}

function boundaryValues({ mask, values }: ArgumentCondition): readonly bigint[] {
  const bits = Array.from({ length: 64 }, (_, bit) => 2n ** BigInt(bit));
  const [first = 0n] = values;
  const around = values.flatMap((value) => [value, value - 1n, value + 1n, value | (1n << 32n), value | (~0n << 32n)]);
  return [...around, first | ~mask, ...bits.map((bit) => first ^ bit), 0n, ~0n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 63n];
}

const actions = fc.constantFrom<SyscallAction>(ALLOW, NOTIFY, KILL, errno('EPERM'), errno('ENOSYS'), errno('EINVAL'));
const interesting = fc.oneof(
  fc.constantFrom(0n, 1n, 0xffn, 2n ** 31n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 63n, 2n ** 64n - 1n),
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
);

const conditions: fc.Arbitrary<ArgumentCondition> = fc
  .record({
    argument: fc.constantFrom(0 as const, 1 as const, 2 as const, 3 as const, 4 as const, 5 as const),
    width: fc.constantFrom(32 as const, 64 as const),
    mask: fc.oneof(fc.constant(2n ** 64n - 1n), interesting),
    values: fc.array(interesting, { minLength: 1, maxLength: 6 }),
  })
  .map(({ argument, width, mask, values }) => {
    const cut = BigInt.asUintN(width, mask);
    return { argument, width, mask: cut, values: values.map((value) => value & cut) };
  });

const rules: fc.Arbitrary<readonly SyscallRule[]> = fc.array(
  fc.record({ when: fc.array(conditions, { maxLength: 3 }), action: actions }),
  { minLength: 1, maxLength: 4 },
);

/** Any policy at all, of up to `calls` calls, for either architecture. */
export function policies(architecture: Architecture, calls: number): fc.Arbitrary<SyscallPolicy> {
  const names = syscallNames().filter((name) => syscallNumber(architecture, name) !== undefined);
  return fc
    .record({
      names: fc.uniqueArray(fc.constantFrom(...names), { maxLength: calls }),
      rules: fc.array(rules, { minLength: 1, maxLength: 12 }),
      otherwise: actions,
      unassigned: actions,
    })
    .map(({ names: chosen, rules: own, otherwise, unassigned }) => ({
      profile: 'random',
      rules: new Map(chosen.map((name, index) => [name, own[index % own.length] ?? []])),
      otherwise,
      unassigned,
    }));
}

/** Compiles `test/native/programs/NAME.c` into a new folder; undefined when that cannot be done here. */
export function compileProgram(name: string, libraries: readonly string[] = []): string | undefined {
  const program = join(temporaryFolder(), name);
  const source = join(import.meta.dirname, '../native/programs', `${name}.c`);
  try {
    execFileSync('cc', ['-std=c11', '-D_GNU_SOURCE', '-O1', '-o', program, source, ...libraries], { stdio: 'pipe' });
  } catch {
    return undefined;
  }
  return program;
}

const folders: string[] = [];

/** A new folder, until `removeTemporaryFolders`. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'rootcellar-filter-'));
  folders.push(folder);
  return folder;
}

/** For `afterAll` of every file that compiles programs. */
export function removeTemporaryFolders(): void {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
}
