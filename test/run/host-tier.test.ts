import { describe, expect, it } from 'vitest';
import { bestTier, identityRange, isAtLeast, lackingFor, TIER_NEEDS } from '../../src/run/host-tier.ts';

const ALL = new Map<string, string>([
  ...Object.values(TIER_NEEDS).flatMap((names) => names.map((name) => [name, 'yes'] as const)),
  ['landlock', '7'],
]);

function without(...names: readonly string[]): ReadonlyMap<string, string> {
  return new Map([...ALL].map(([name, value]) => [name, names.includes(name) ? 'no 1' : value]));
}

describe('bestTier()', () => {
  it.each([
    ['everything', [], 'A'],
    ['no mounts of its own', ['mount'], 'B'],
    ['no namespaces at all', ['mount', 'user-cell'], 'C'],
    ['no chroot either', ['mount', 'user-cell', 'chroot'], 'D'],
    ['no other user either', ['mount', 'user-cell', 'own-uid'], 'D'],
    ['no listener', ['seccomp-listener'], undefined],
  ] as const)('with %s: %s', (_, names, tier) => {
    expect(bestTier(without(...names))).toBe(tier);
  });

  it('takes a kernel without Landlock for tier C, never for D', () => {
    const none = new Map([...without('mount', 'user-cell'), ['landlock', '0']]);
    expect(bestTier(none)).toBe('C');
    expect(bestTier(new Map([...none, ['chroot', 'no 1']]))).toBeUndefined();
    expect(lackingFor('D', none)).toEqual(['landlock']);
  });
});

describe('isAtLeast()', () => {
  it('knows that A is the best', () => {
    expect(isAtLeast('A', 'B')).toBe(true);
    expect(isAtLeast('C', 'C')).toBe(true);
    expect(isAtLeast('D', 'C')).toBe(false);
  });
});

describe('identityRange()', () => {
  it.each([
    ['a host', '0 0 4294967295', 1_900_000_000],
    ['a container with 65536 ids', '         0     100000      65536\n', 52_000],
    ['a user namespace of one id', '1000 1000 1', undefined],
    ['several rows', '0 1000 1\n1 100000 65536\n', 52_000],
  ] as const)('of %s', (_, map, first) => {
    expect(identityRange(map)?.first).toBe(first);
  });
});
