import * as fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { ARCHITECTURES } from '../../src/base/architecture.ts';
import { AUDIT_ARCHITECTURE } from '../../src/run/bpf.ts';
import { compileFilter, type CompiledFilter } from '../../src/run/filter-compiler.ts';
import { decodeFilter, returnedAction, simulateFilter, type SyscallData } from '../../src/run/filter-simulator.ts';
import { compilePolicy, withoutListener, type SyscallPolicy } from '../../src/run/policy.ts';
import { ALLOW, errno, KILL, long, NOTIFY, word } from '../../src/run/syscall-rule.ts';
import { syscallNames, syscallNumber } from '../../src/run/syscall-tables.ts';
import { boundaryCalls, evaluatePolicy, NUMBERS, policies } from './policy-cases.ts';

// Thousands of simulated calls, or processes: slow where others use the machine too.
vi.setConfig({ testTimeout: 60_000 });

const NO_ARGUMENTS = [0n, 0n, 0n, 0n, 0n, 0n];

function policyOf(rules: SyscallPolicy['rules']): SyscallPolicy {
  return { profile: 'test', rules, otherwise: NOTIFY, unassigned: errno('ENOSYS') };
}

/** Calls for which the filter does not do what the policy says. */
function disagreements(policy: SyscallPolicy, filter: CompiledFilter, calls: readonly SyscallData[]): unknown[] {
  const instructions = decodeFilter(filter.program);
  return calls
    .map((call) => ({
      call,
      is: returnedAction(simulateFilter(instructions, call)),
      should: evaluatePolicy(policy, filter.architecture, call),
    }))
    .filter(({ is, should }) => JSON.stringify(is) !== JSON.stringify(should));
}

function everyNumber(auditArchitecture: number): readonly SyscallData[] {
  return NUMBERS.flatMap((number) => [
    { number, auditArchitecture, arguments: NO_ARGUMENTS },
    { number, auditArchitecture, arguments: NO_ARGUMENTS.map(() => 2n ** 64n - 1n) },
  ]);
}

describe.each(ARCHITECTURES)('on %s', (architecture) => {
  const calls = everyNumber(AUDIT_ARCHITECTURE[architecture]);
  const strangers = [...Object.values(AUDIT_ARCHITECTURE), 0, 1, 0x4000_0028, 0xffff_ffff]
    .filter((audit) => audit !== AUDIT_ARCHITECTURE[architecture])
    .flatMap(everyNumber);

  it.each(['python', 'python-subprocess'])('compileFilter() does what profile %s says, for every number', (profile) => {
    const policy = compilePolicy({ profile, allow: [], deny: [] }, architecture);
    const filter = compileFilter(policy, architecture);
    expect(disagreements(policy, filter, calls)).toEqual([]);
    expect(disagreements(policy, filter, strangers)).toEqual([]);
    expect(disagreements(policy, filter, boundaryCalls(policy, architecture))).toEqual([]);
  });

  it('compileFilter() does what any policy says', () => {
    fc.assert(
      fc.property(policies(architecture, 120), (policy) => {
        const filter = compileFilter(policy, architecture);
        expect(disagreements(policy, filter, [...calls, ...boundaryCalls(policy, architecture)])).toEqual([]);
      }),
      { numRuns: 20, endOnFailure: true },
    );
  });

  it('compileFilter() bridges jumps of more than 255 instructions', () => {
    const rule = {
      when: Array.from({ length: 6 }, (_, index) => long(index % 2 ? 1 : 0, [BigInt(index)])),
      action: ALLOW,
    };
    const names = syscallNames().filter((name) => syscallNumber(architecture, name) !== undefined);
    const policy = policyOf(
      new Map(names.slice(0, 120).map((name, index) => [name, [rule, { when: [word(2, [index])], action: KILL }]])),
    );
    const filter = compileFilter(policy, architecture);
    expect(filter.instructions.length).toBeGreaterThan(600);
    expect(disagreements(policy, filter, [...calls, ...boundaryCalls(policy, architecture)])).toEqual([]);
  });

  it('compileFilter() refuses what the kernel would: over 4096 instructions', () => {
    const names = syscallNames().filter((name) => syscallNumber(architecture, name) !== undefined);
    const policy = policyOf(
      new Map(
        names.map((name, index) => [
          name,
          [
            {
              when: [
                word(
                  0,
                  Array.from({ length: 20 }, (_, value) => index * 100 + value),
                ),
              ],
              action: ALLOW,
            },
          ],
        ]),
      ),
    );
    expect(() => compileFilter(policy, architecture)).toThrow(/the filter has \d+ instructions, the kernel takes 4096/);
  });

  it('compileFilter() gives the same bytes for the same policy, whatever the order of its rules', () => {
    const policy = compilePolicy({ profile: 'python', allow: ['fork', 'vfork'], deny: [] }, architecture);
    const again = compilePolicy({ profile: 'python', allow: ['vfork', 'fork'], deny: [] }, architecture);
    expect(compileFilter(again, architecture)).toEqual(compileFilter(policy, architecture));
  });

  it('compileFilter() of a policy without a listener never returns notify', () => {
    const policy = withoutListener(compilePolicy({ profile: 'python', allow: [], deny: [] }, architecture));
    expect(compileFilter(policy, architecture).listing).not.toContain('; notify');
  });
});

describe('compileFilter()', () => {
  it('compares the half of an argument that the kernel uses', () => {
    const policy = policyOf(
      new Map([
        ['ioctl', [{ when: [word(1, [0x5401])], action: ALLOW }]],
        ['sendto', [{ when: [long(4, [0n])], action: ALLOW }]],
      ]),
    );
    const instructions = decodeFilter(compileFilter(policy, 'amd64').program);
    const result = (number: number, ...values: bigint[]): unknown =>
      returnedAction(
        simulateFilter(instructions, { number, auditArchitecture: AUDIT_ARCHITECTURE.amd64, arguments: values }),
      );
    expect(result(16, 0n, 0x5401n)).toEqual(ALLOW);
    expect(result(16, 0n, 0x1_0000_5401n)).toEqual(ALLOW);
    expect(result(16, 0n, 0x1_0000_5412n)).toEqual(NOTIFY);
    expect(result(44, 0n, 0n, 0n, 0n, 0n)).toEqual(ALLOW);
    expect(result(44, 0n, 0n, 0n, 0n, 0x1_0000_0000n)).toEqual(NOTIFY);
  });

  it('lists a small program as it is', () => {
    const filter = compileFilter(policyOf(new Map([['read', [{ when: [], action: ALLOW }]]])), 'arm64');
    // arm64: read is 63; 244 to 259, 295 to 423 and 472 on have no names; wait4 is 260, pidfd_send_signal 424.
    expect(filter.listing).toBe(
      `
   0  load  [4]  ; architecture
   1  if == 0xc00000b7 then 2 else 13  ; arm64
   2  load  [0]  ; number
   3  if >= 0x104 then 4 else 7  ; wait4
   4  if >= 0x1a8 then 5 else 6  ; pidfd_send_signal
   5  if >= 0x1d8 then 12 else 11
   6  if >= 0x127 then 12 else 11
   7  if >= 0x40 then 8 else 9  ; write
   8  if >= 0xf4 then 12 else 11
   9  if >= 0x3f then 10 else 11  ; read
  10  ret   0x7fff0000  ; allow
  11  ret   0x7fc00000  ; notify
  12  ret   0x50026  ; ENOSYS
  13  ret   0x80000000  ; kill the process
`.slice(1),
    );
    expect(filter.program).toHaveLength(filter.instructions.length * 8);
    expect(Array.from(filter.program.subarray(0, 16))).toEqual([
      0x20, 0, 0, 0, 4, 0, 0, 0, 0x15, 0, 0, 11, 0xb7, 0, 0, 0xc0,
    ]);
  });
});
