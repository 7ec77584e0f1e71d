import { describe, expect, it } from 'vitest';
import type { SyscallSettings } from '../../src/recipe/recipe.ts';
import { AUDIT_ARCHITECTURE } from '../../src/run/bpf.ts';
import type { TracedCall } from '../../src/run/status-reader.ts';
import { neededWords, traceAdvice, type NeededCall } from '../../src/run/trace-advice.ts';
import { syscallNumber } from '../../src/run/syscall-tables.ts';

const PYTHON: SyscallSettings = { profile: 'python', allow: [], deny: [] };

function called(name: string, ...values: readonly bigint[]): TracedCall {
  const nr = syscallNumber('amd64', name) ?? -1;
  return { auditArch: AUDIT_ARCHITECTURE.amd64, nr, count: 2, arguments: values };
}

function advise(calls: readonly TracedCall[], settings = PYTHON): readonly NeededCall[] {
  return traceAdvice({ calls, settings, architecture: 'amd64' });
}

describe('traceAdvice()', () => {
  it('names a harmless call itself', () => {
    expect(advise([called('sched_setaffinity')])).toEqual([
      { syscall: 'sched_setaffinity', nr: 203, count: 2, allow: 'sched_setaffinity', danger: undefined },
    ]);
  });

  it('takes the group that allows a dangerous call with these arguments', () => {
    const [fork] = advise([called('clone', 0x120_0011n)]);
    expect(fork).toMatchObject({ syscall: 'clone', allow: '@subprocess' });
    expect(fork?.danger).toContain('namespaces');
  });

  it('offers nothing for a dangerous call that no group allows so', () => {
    const calls = [called('clone', 0x1000_0000n), called('ptrace'), called('mount')];
    expect(advise(calls).map(({ syscall, allow }) => [syscall, allow])).toEqual([
      ['clone', undefined],
      ['mount', undefined],
      ['ptrace', undefined],
    ]);
    expect(neededWords(advise(calls))).toEqual([]);
  });

  it('lets a group that is needed serve for other calls too', () => {
    const needed = advise([called('wait4'), called('execve'), called('clone', 0x120_0011n)]);
    expect(neededWords(needed)).toEqual(['@subprocess']);
  });

  it('counts the samples of one call together', () => {
    expect(advise([called('sched_setaffinity', 1n), called('sched_setaffinity', 2n)])[0]?.count).toBe(4);
  });

  it('builds on what the recipe allows already', () => {
    const settings = { ...PYTHON, deny: ['getpid'] };
    expect(advise([called('getpid')], settings)[0]?.allow).toBeUndefined();
  });

  it('has no word for a number without a name, nor for another architecture', () => {
    const foreign = { ...called('getpid'), auditArch: AUDIT_ARCHITECTURE.i386 };
    expect(advise([{ ...called('getpid'), nr: 5000 }, foreign]).map(({ syscall, allow }) => [syscall, allow])).toEqual([
      ['syscall_39', undefined],
      ['syscall_5000', undefined],
    ]);
  });
});
