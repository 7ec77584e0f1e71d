import { describe, expect, it } from 'vitest';
import { diagnose, type Diagnosis, type HostFacts } from '../../src/cli/host-findings.ts';
import { TIER_NEEDS } from '../../src/run/host-tier.ts';

const WHOLE = new Map<string, string>([
  ...Object.values(TIER_NEEDS).flatMap((names) => names.map((name) => [name, 'yes'] as const)),
  ['children', 'yes'],
  ['landlock', '7'],
]);

function diagnosed(lacking: readonly string[], change: Partial<HostFacts> = {}): Diagnosis {
  const cell = new Map([...WHOLE].map(([name, value]) => [name, lacking.includes(name) ? 'no 1' : value]));
  const facts: HostFacts = {
    kernel: '6.1',
    uid: 0,
    cell,
    cgroups: ['v2'],
    canLimit: true,
    programs: new Set(),
    store: '/store',
    ...change,
  };
  return diagnose(facts);
}

function states({ findings }: Diagnosis): Readonly<Record<string, string>> {
  return Object.fromEntries(findings.map(({ subject, state }) => [subject, state]));
}

describe('diagnose()', () => {
  it('says what is missing for tier A, and which tier there is', () => {
    expect(diagnosed([]).tier).toBe('A');
    const container = diagnosed(['mount-namespace', 'pid-namespace', 'mount', 'user-cell']);
    expect(container.tier).toBe('C');
    expect(states(container)).toMatchObject({ mount: 'missing', 'tier B': 'note', 'tier C': 'ok', 'tier D': 'ok' });
    expect(container.findings.filter(({ state }) => state === 'missing').every(({ hint }) => hint !== undefined)).toBe(
      true,
    );
  });

  it('knows that the launcher measures where no control group does', () => {
    const measured = diagnosed([], { canLimit: false });
    expect([measured.tier, states(measured)['cgroups']]).toEqual(['A', 'note']);
    const unlimited = diagnosed(['children'], { canLimit: false });
    expect([unlimited.tier, states(unlimited)['cgroups']]).toEqual([undefined, 'missing']);
  });

  it('has no tier where the launcher is missing', () => {
    expect(diagnosed([], { cell: undefined }).tier).toBeUndefined();
  });
});
