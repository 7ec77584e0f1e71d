import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { AUDIT_ARCHITECTURE } from '../../src/run/bpf.ts';
import { compileFilter } from '../../src/run/filter-compiler.ts';
import { returnedAction, simulateFilter } from '../../src/run/filter-simulator.ts';
import { shimFiltersText } from '../../src/run/shim-filters.ts';
import { SHIM_PROCESS, shimPolicy } from '../../src/run/shim-policy.ts';
import { syscallNumber } from '../../src/run/syscall-tables.ts';
import { boundaryCalls, evaluatePolicy, NUMBERS } from './policy-cases.ts';

const KINDS = [
  ['amd64', false],
  ['amd64', true],
  ['arm64', false],
  ['arm64', true],
] as const;

describe('shimFiltersText()', () => {
  it('is what native/shim-filters.h has; else run scripts/generate-shim-filters.mjs', () => {
    const file = join(import.meta.dirname, '../../native/shim-filters.h');
    expect(readFileSync(file, 'utf8')).toBe(shimFiltersText());
  });
});

describe.each(KINDS)('the filter for %s, network %s', (architecture, network) => {
  const policy = shimPolicy(architecture, network);
  const { instructions } = compileFilter(policy, architecture);

  function answer(name: string, ...values: bigint[]): string | undefined {
    const number = syscallNumber(architecture, name) ?? -1;
    const call = { number, auditArchitecture: AUDIT_ARCHITECTURE[architecture], arguments: values };
    const action = returnedAction(simulateFilter(instructions, call));
    return action?.kind === 'errno' ? action.name : action?.kind;
  }

  it('does what the policy says for every number and at every boundary', () => {
    const auditArchitecture = AUDIT_ARCHITECTURE[architecture];
    const calls = [
      ...NUMBERS.map((number) => ({ number, auditArchitecture, arguments: [] })),
      ...boundaryCalls(policy, architecture),
      { number: 0, auditArchitecture: AUDIT_ARCHITECTURE.i386, arguments: [] },
    ];
    const wrong = calls.filter((call) => {
      const action = returnedAction(simulateFilter(instructions, call));
      return JSON.stringify(action) !== JSON.stringify(evaluatePolicy(policy, architecture, call));
    });
    expect(wrong).toEqual([]);
  });

  it('notifies nobody, and learns the process nowhere but in comparisons', () => {
    expect(instructions.filter(({ code, k }) => code === 0x06 && k === 0x7fc0_0000)).toEqual([]);
    const learning = instructions.filter(({ k }) => k === SHIM_PROCESS);
    expect(learning.length).toBeGreaterThan(0);
    expect(learning.every(({ code }) => code === 0x15)).toBe(true);
  });

  it('denies starting programs and all that the confinement itself is made of', () => {
    for (const name of ['execve', 'chroot', 'setuid', 'setresuid', 'setgroups', 'capset', 'unshare', 'ptrace', 'bpf']) {
      expect([name, answer(name)]).toEqual([name, 'EPERM']);
    }
    expect(answer('clone', 17n)).toBe('EPERM');
  });

  it('lets signals go to this process alone', () => {
    const itself = BigInt(SHIM_PROCESS);
    for (const name of ['kill', 'tgkill', 'tkill']) {
      expect(answer(name, itself)).toBe('allow');
      for (const other of [0n, 1n, itself + 1n, 2n ** 32n - 1n, 2n ** 64n - 1n])
        expect(answer(name, other)).toBe('EPERM');
    }
  });

  it('has sockets of the internet with a network, and none without', () => {
    const families = [2n, 10n].map((family) => answer('socket', family, 1n, 0n));
    expect(families).toEqual(network ? ['allow', 'allow'] : ['EPERM', 'EPERM']);
    for (const family of [1n, 16n, 17n, 38n, 40n]) {
      expect(answer('socket', family, 1n, 0n)).toBe(network ? 'EAFNOSUPPORT' : 'EPERM');
    }
    expect(answer('connect')).toBe(network ? 'allow' : 'EPERM');
  });
});
