import { describe, expect, it } from 'vitest';
import { ARCHITECTURES } from '../../src/base/architecture.ts';
import { AUDIT_ARCHITECTURE } from '../../src/run/bpf.ts';
import { compileFilter } from '../../src/run/filter-compiler.ts';
import { decodeFilter, returnedAction, simulateFilter, type SyscallData } from '../../src/run/filter-simulator.ts';
import { heardFilter } from '../../src/run/heard-filter.ts';
import { compilePolicy } from '../../src/run/policy.ts';

const FOREIGN: readonly SyscallData[] = [
  { number: 0xc000_003e, auditArchitecture: AUDIT_ARCHITECTURE.i386, arguments: [] },
  { number: 20, auditArchitecture: AUDIT_ARCHITECTURE.i386, arguments: [] },
  { number: 20, auditArchitecture: 0x4000_0028, arguments: [] },
  { number: 0x4000_0000, auditArchitecture: AUDIT_ARCHITECTURE.amd64, arguments: [] },
  { number: 0x4000_0208, auditArchitecture: AUDIT_ARCHITECTURE.amd64, arguments: [] },
  { number: 0xffff_fffe, auditArchitecture: AUDIT_ARCHITECTURE.amd64, arguments: [] },
];

describe.each(ARCHITECTURES)('heardFilter() on %s', (architecture) => {
  const policy = compilePolicy({ profile: 'python', allow: [], deny: [] }, architecture);
  const { program } = compileFilter(policy, architecture);
  const [before, after] = [decodeFilter(program), decodeFilter(heardFilter(program))];

  it.each(FOREIGN)('asks the listener about $number of $auditArchitecture, for which the filter kills', (call) => {
    const isOwn = call.auditArchitecture === AUDIT_ARCHITECTURE[architecture];
    if (architecture === 'arm64' && isOwn) return;
    expect(returnedAction(simulateFilter(before, call))).toEqual({ kind: 'kill' });
    expect(returnedAction(simulateFilter(after, call))).toEqual({ kind: 'notify' });
  });

  it('answers every other call as the filter does', () => {
    const auditArchitecture = AUDIT_ARCHITECTURE[architecture];
    for (const value of [0n, 0x5401n, 0x3d_0f00n]) {
      const values = [value, value, value, value, value, value];
      for (let number = 0; number < 1024; number += 1) {
        const call = { number, auditArchitecture, arguments: values };
        expect(simulateFilter(after, call)).toBe(simulateFilter(before, call));
      }
    }
    expect(after.every(({ k, code }) => code !== 6 || k !== 0x8000_0000)).toBe(true);
  });
});
