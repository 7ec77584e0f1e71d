import { describe, expect, it } from 'vitest';
import type { Tier } from '../../src/recipe/recipe.ts';
import { AUDIT_ARCHITECTURE } from '../../src/run/bpf.ts';
import { compileFilter } from '../../src/run/filter-compiler.ts';
import { returnedAction, simulateFilter } from '../../src/run/filter-simulator.ts';
import { MAIN_PROCESS, placedPolicy } from '../../src/run/placed-policy.ts';
import { compilePolicy } from '../../src/run/policy.ts';
import { syscallNumber } from '../../src/run/syscall-tables.ts';

interface Cell {
  readonly tier: Tier;
  readonly landlock?: number;
  readonly allow?: readonly string[];
  readonly isCounted?: boolean;
}

function answer(
  { tier, landlock = 7, allow = [], isCounted = true }: Cell,
  name: string,
  first = 0,
): string | undefined {
  const policy = placedPolicy(compilePolicy({ profile: 'python', allow, deny: [] }, 'amd64'), {
    architecture: 'amd64',
    tier,
    landlock,
    hasNetwork: false,
    isCounted,
  });
  const { instructions } = compileFilter(policy, 'amd64');
  const number = syscallNumber('amd64', name) ?? -1;
  const call = { number, auditArchitecture: AUDIT_ARCHITECTURE.amd64, arguments: [first, 0, 0, 0, 0, 0].map(BigInt) };
  return returnedAction(simulateFilter(instructions, call))?.kind;
}

describe('placedPolicy()', () => {
  it('leaves a cell with namespaces as it is', () => {
    const policy = compilePolicy({ profile: 'python', allow: ['@network'], deny: [] }, 'amd64');
    for (const tier of ['A', 'B'] as const) {
      expect(
        placedPolicy(policy, { architecture: 'amd64', tier, landlock: 7, hasNetwork: false, isCounted: true }),
      ).toBe(policy);
    }
  });

  it.each(['A', 'B', 'C', 'D'] as const)(
    'gives no files without names where nothing counts them, in tier %s',
    (tier) => {
      expect(answer({ tier }, 'memfd_create')).toBe('allow');
      expect(answer({ tier, isCounted: false }, 'memfd_create')).toBe('notify');
    },
  );

  it.each(['C', 'D'] as const)('gives no sockets where there is no empty network, in tier %s', (tier) => {
    expect(answer({ tier: 'A', allow: ['@network'] }, 'socket', 2)).toBe('allow');
    expect(answer({ tier, allow: ['@network'] }, 'socket', 2)).toBe('notify');
    expect(answer({ tier, allow: ['@network'] }, 'connect')).toBe('notify');
  });

  it('keeps modes, owners and times of files from a cell that owns those of its host', () => {
    for (const name of ['chmod', 'fchmodat', 'fchown', 'utimensat']) {
      expect(answer({ tier: 'C' }, name)).toBe('allow');
      expect(answer({ tier: 'D' }, name)).toBe('notify');
    }
  });

  it('lets signals go to the main process alone where Landlock does not scope them', () => {
    expect(answer({ tier: 'D', landlock: 6 }, 'kill', 1)).toBe('allow');
    expect(answer({ tier: 'D', landlock: 5 }, 'kill', 1)).toBe('notify');
    expect(answer({ tier: 'D', landlock: 5 }, 'kill', MAIN_PROCESS)).toBe('allow');
  });

  it('denies priorities to a cell that shares its user with others', () => {
    expect(answer({ tier: 'C', allow: ['@scheduling'] }, 'sched_setaffinity')).toBe('allow');
    expect(answer({ tier: 'D', allow: ['@scheduling'] }, 'sched_setaffinity')).toBe('notify');
  });
});
