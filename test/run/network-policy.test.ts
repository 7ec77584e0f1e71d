import { describe, expect, it } from 'vitest';
import { ARCHITECTURES, type Architecture } from '../../src/base/architecture.ts';
import { plainNetwork } from '../../src/recipe/network-schema.ts';
import type { SyscallSettings } from '../../src/recipe/recipe.ts';
import { AUDIT_ARCHITECTURE } from '../../src/run/bpf.ts';
import { compileFilter } from '../../src/run/filter-compiler.ts';
import { decodeFilter, returnedAction, simulateFilter } from '../../src/run/filter-simulator.ts';
import { networkPolicy } from '../../src/run/network-policy.ts';
import { compilePolicy } from '../../src/run/policy.ts';
import { syscallNumber } from '../../src/run/syscall-tables.ts';

type Answer = (name: string, ...values: number[]) => string | undefined;

const PYTHON: SyscallSettings = { profile: 'python', allow: [], deny: [] };

function answers(mode: 'none' | 'proxy' | 'host', architecture: Architecture, syscalls = PYTHON): Answer {
  const policy = networkPolicy({ syscalls, network: plainNetwork(mode) }, architecture);
  const instructions = decodeFilter(compileFilter(policy, architecture).program);
  return (name, ...values) => {
    const call = {
      number: syscallNumber(architecture, name) ?? -1,
      auditArchitecture: AUDIT_ARCHITECTURE[architecture],
      arguments: values.map(BigInt),
    };
    const action = returnedAction(simulateFilter(instructions, call));
    return action?.kind === 'errno' ? action.name : action?.kind;
  };
}

const FLAGS = 0o2004000;
const FAST_OPEN = 0x2000_0000;

describe.each(ARCHITECTURES)('networkPolicy() on %s', (architecture) => {
  it('without a network is the policy of the profile, byte by byte', () => {
    const own = networkPolicy({ syscalls: PYTHON, network: 'none' }, architecture);
    expect(compileFilter(own, architecture)).toEqual(compileFilter(compilePolicy(PYTHON, architecture), architecture));
  });

  it.each(['proxy', 'host'] as const)('lets a program connect by TCP with `%s`, and be nobody’s server', (mode) => {
    const answer = answers(mode, architecture);
    for (const family of [2, 10]) {
      expect(answer('socket', family, 1 + FLAGS, 0)).toBe('allow');
      expect(answer('socket', family, 1, 6)).toBe('allow');
      for (const protocol of [132, 262]) expect(answer('socket', family, 1, protocol)).toBe('notify');
      for (const type of [3, 4, 5, 6, 10]) expect(answer('socket', family, type, 0)).toBe('notify');
      expect(answer('socket', family, 2, 136)).toBe('notify');
      expect(answer('socket', family, 2, 0)).toBe(mode === 'host' ? 'allow' : 'notify');
    }
    expect(answer('connect', 3)).toBe('allow');
    expect(answer('bind', 3)).toBe('EACCES');
    expect(['listen', 'accept', 'accept4'].map((name) => answer(name, 3))).toEqual(['notify', 'notify', 'notify']);
    expect(answer('socketpair', 1, 1)).toBe('allow');
    expect(answer('socketpair', 1, 2)).toBe('notify');
  });

  it.each(['proxy', 'host'] as const)('has no other family with `%s`, even if all of `socket` is allowed', (mode) => {
    for (const allow of [[], ['socket'], ['@network']]) {
      const answer = answers(mode, architecture, { ...PYTHON, allow });
      const quiet = new Set([1, 16]);
      for (let family = 0; family < 64; family += 1) {
        if (family === 2 || family === 10) continue;
        for (const type of [1, 2, 3, 5]) {
          expect(answer('socket', family, type, 0)).toBe(quiet.has(family) ? 'EAFNOSUPPORT' : 'notify');
        }
      }
    }
  });

  it('lets nobody connect while sending where a port is all that Landlock looks at', () => {
    const answer = answers('proxy', architecture);
    expect([answer('sendmsg', 3, 0, 0), answer('sendmsg', 3, 0, FAST_OPEN)]).toEqual(['allow', 'notify']);
    expect([answer('sendmmsg', 3, 0, 1, 0), answer('sendmmsg', 3, 0, 1, FAST_OPEN)]).toEqual(['allow', 'notify']);
    expect([answer('sendto', 3, 0, 1, 0x4000, 0), answer('sendto', 3, 0, 1, FAST_OPEN, 0)]).toEqual([
      'allow',
      'notify',
    ]);
    expect(answer('sendto', 3, 0, 1, 0, 1)).toBe('notify');
    expect(answers('host', architecture)('sendto', 3, 0, 1, 0, 1)).toBe('allow');
  });

  it('allows the options that clients set, and none that open more of the kernel', () => {
    const answer = answers('proxy', architecture);
    for (const [level, option] of [
      [6, 1],
      [1, 9],
      [1, 2],
      [41, 26],
      [0, 11],
    ] as const)
      expect(answer('setsockopt', 3, level, option)).toBe('allow');
    for (const [level, option] of [
      [6, 31],
      [6, 30],
      [6, 14],
      [1, 26],
      [1, 50],
      [0, 64],
      [41, 64],
      [255, 1],
    ] as const)
      expect(answer('setsockopt', 3, level, option)).toBe('notify');
  });

  it('takes away what `deny` names', () => {
    const answer = answers('host', architecture, { ...PYTHON, deny: ['socket'] });
    expect(answer('socket', 2, 1, 0)).toBe('notify');
  });
});
