import * as fc from 'fast-check';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { ARCHITECTURES, type Architecture } from '../../src/base/architecture.ts';
import { AUDIT_ARCHITECTURE, type BpfInstruction } from '../../src/run/bpf.ts';
import { compileFilter } from '../../src/run/filter-compiler.ts';
import { decodeFilter, returnedAction, simulateFilter, type SyscallData } from '../../src/run/filter-simulator.ts';
import { compilePolicy, type SyscallPolicy } from '../../src/run/policy.ts';
import { compileWithLibseccomp, decodeTheirs, expressible, ORACLE } from './libseccomp.ts';
import { boundaryCalls, NUMBERS, policies, removeTemporaryFolders } from './policy-cases.ts';
import { skipWithout } from '../support/skip-without.ts';

// Thousands of simulated calls, or processes: slow where others use the machine too.
vi.setConfig({ testTimeout: 60_000 });

const PROFILES = ['python', 'python-subprocess'];
const SKIP = skipWithout('libseccomp (libseccomp-dev) and a C compiler', ORACLE !== undefined);

afterAll(removeTemporaryFolders);

describe.skipIf(SKIP)('libseccomp, as an oracle', () => {
  it.each(ARCHITECTURES.flatMap((architecture) => PROFILES.map((profile) => ({ architecture, profile }))))(
    'compiles $profile for $architecture to a program with the same answers as ours',
    ({ architecture, profile }) => {
      const policy = expressible(compilePolicy({ profile, allow: [], deny: [] }, architecture));
      expect(policy.rules.size).toBeGreaterThan(130);
      expect(differences(policy, architecture)).toEqual([]);
    },
  );

  it.each(ARCHITECTURES)('agrees on any policy for %s that it can express', (architecture) => {
    fc.assert(
      fc.property(policies(architecture, 60), (policy) => {
        expect(differences(expressible(policy), architecture)).toEqual([]);
      }),
      { numRuns: 10, endOnFailure: true },
    );
  });
});

/** Calls that the two programs answer differently, with both answers. */
function differences(policy: SyscallPolicy, architecture: Architecture): readonly unknown[] {
  const ours = decodeFilter(compileFilter(policy, architecture).program);
  const theirs = decodeTheirs(compileWithLibseccomp(policy, architecture));
  const numbers = Object.values(AUDIT_ARCHITECTURE).flatMap((auditArchitecture) =>
    NUMBERS.map((number): SyscallData => ({ number, auditArchitecture, arguments: [] })),
  );
  return [...numbers, ...boundaryCalls(policy, architecture)]
    .map((call) => ({ call, ours: answer(ours, call), theirs: answer(theirs, call) }))
    .filter((row) => row.ours !== row.theirs);
}

function answer(instructions: readonly BpfInstruction[], call: SyscallData): string {
  return JSON.stringify(returnedAction(simulateFilter(instructions, call)));
}
