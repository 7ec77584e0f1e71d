import { describe, expect, it } from 'vitest';
import { ARCHITECTURES, type Architecture } from '../../src/base/architecture.ts';
import { AUDIT_ARCHITECTURE } from '../../src/run/bpf.ts';
import { DANGEROUS_CALLS } from '../../src/run/dangerous-calls.ts';
import { compileFilter } from '../../src/run/filter-compiler.ts';
import { decodeFilter, returnedAction, simulateFilter } from '../../src/run/filter-simulator.ts';
import { compilePolicy } from '../../src/run/policy.ts';
import { PROFILES } from '../../src/run/profiles.ts';
import { SYSCALL_GROUPS } from '../../src/run/syscall-groups.ts';
import { syscallNames, syscallNumber } from '../../src/run/syscall-tables.ts';

type Answer = (name: string, ...values: bigint[]) => string | undefined;

/** What the compiled filter of a profile answers to a call; undefined where the architecture does not have it. */
function answers(profile: string, architecture: Architecture): Answer {
  const policy = compilePolicy({ profile, allow: [], deny: [] }, architecture);
  const instructions = decodeFilter(compileFilter(policy, architecture).program);
  const auditArchitecture = AUDIT_ARCHITECTURE[architecture];
  return (name, ...values) => {
    const number = syscallNumber(architecture, name);
    if (number === undefined) return undefined;
    const action = returnedAction(simulateFilter(instructions, { number, auditArchitecture, arguments: values }));
    return action?.kind === 'errno' ? action.name : action?.kind;
  };
}

const HIGH = 0x1_0000_0000n;
const ONES = 2n ** 64n - 1n;
/** Calls whose answer depends on their arguments in some profile. */
const CONDITIONAL = ['clone', 'ioctl', 'fcntl', 'prctl', 'arch_prctl', 'personality', 'prlimit64', 'mknod', 'mknodat'];
const CONDITIONAL_SOCKET = ['socketpair', 'sendto', 'setsockopt'];

const CASES = ARCHITECTURES.flatMap((architecture) =>
  [...PROFILES.keys()].map((profile) => ({ architecture, profile, answer: answers(profile, architecture) })),
);

describe.each(CASES)('profile $profile on $architecture', ({ profile, answer }) => {
  it('never lets a dangerous call through', () => {
    const conditional = new Set([...CONDITIONAL, ...CONDITIONAL_SOCKET]);
    const reachable = [...DANGEROUS_CALLS.keys()]
      .filter((name) => !conditional.has(name))
      .filter((name) => answer(name) === 'allow' || answer(name, ONES, ONES, ONES, ONES, ONES, ONES) === 'allow');
    expect(reachable).toEqual([]);
  });

  it.each([
    'clone3',
    'io_uring_setup',
    'statmount',
    'futex_waitv',
    'landlock_create_ruleset',
    'set_mempolicy_home_node',
  ])('says ENOSYS to %s, so that libraries go another way', (name) => {
    expect(answer(name, ONES)).toBe('ENOSYS');
  });

  it('says to Node.js alone that there are no capabilities and no keys of memory', () => {
    const wanted = profile === 'node' ? 'ENOSYS' : 'notify';
    expect([answer('capget', ONES, ONES), answer('pkey_alloc')]).toEqual([wanted, wanted]);
  });

  it('lets clone make threads, and nothing in new namespaces', () => {
    const pthread = 0x3d_0f00n;
    expect(answer('clone', pthread)).toBe('allow');
    expect(answer('clone', pthread | HIGH)).toBe('allow');
    for (const flag of [0x2_0000n, 0x200_0000n, 0x400_0000n, 0x800_0000n, 0x1000_0000n, 0x2000_0000n, 0x4000_0000n]) {
      expect(answer('clone', pthread | flag)).toBe('notify');
      expect(answer('clone', flag | 17n)).toBe('notify');
      expect(answer('clone', flag)).toBe('notify');
    }
    expect(answer('clone', pthread | 0x2000n)).toBe('notify');
    expect(answer('clone', 0n)).toBe('notify');
  });

  it('starts processes only where the profile says so', () => {
    const expected = profile === 'python-subprocess' ? 'allow' : 'notify';
    for (const name of ['execve', 'execveat', 'wait4']) expect(answer(name)).toBe(expected);
    for (const name of ['fork', 'vfork']) expect(answer(name) ?? expected).toBe(expected);
    // As glibc's fork(), its vfork() on arm64 and posix_spawn() do.
    for (const flags of [0x120_0011n, 0x4111n]) expect(answer('clone', flags)).toBe(expected);
    expect(answer('clone', 0x8000n | 17n)).toBe('notify');
  });

  it('compares 32 bits of an ioctl', () => {
    expect(answer('ioctl', 0n, 0x5401n)).toBe('allow');
    expect(answer('ioctl', 0n, 0x4004_9409n)).toBe('EOPNOTSUPP');
    for (const command of [0x5412n, 0x541cn, 0x5423n, 0x540en, 0x5402n, 0x8933n]) {
      expect(answer('ioctl', 0n, command)).toBe('notify');
      expect(answer('ioctl', 0n, command | HIGH)).toBe('notify');
    }
  });

  it('lets prctl name threads, and change nothing that protects', () => {
    expect(answer('prctl', 15n)).toBe('allow');
    // PDEATHSIG, DUMPABLE, KEEPCAPS, SECCOMP, TSC, SECUREBITS, MM, SUBREAPER, NO_NEW_PRIVS, AMBIENT, SPECULATION, dispatch.
    for (const option of [1n, 4n, 8n, 22n, 26n, 28n, 35n, 36n, 38n, 47n, 53n, 59n, 0x5961_6d61n]) {
      expect(answer('prctl', option)).toBe('notify');
      expect(answer('prctl', option | HIGH)).toBe('notify');
    }
  });

  it('lets fcntl lock records, and not lease, signal, notify or resize pipes', () => {
    for (const command of [0n, 1n, 2n, 3n, 4n, 5n, 6n, 7n, 1030n]) expect(answer('fcntl', 3n, command)).toBe('allow');
    for (const command of [8n, 10n, 15n, 1024n, 1026n, 1031n]) expect(answer('fcntl', 3n, command)).toBe('notify');
  });

  it('has no sockets but connected pairs, and Node.js not even those', () => {
    const own = profile === 'node' ? 'notify' : 'allow';
    for (let family = 0n; family < 46n; family += 1n) {
      for (const type of [1n, 2n, 3n, 5n, 10n]) {
        expect(answer('socket', family, type)).toBe('notify');
        const pair = family === 1n && (type === 1n || type === 5n) ? own : 'notify';
        expect(answer('socketpair', family, type | 0x8_0800n)).toBe(pair);
      }
    }
    for (const name of ['bind', 'connect', 'listen', 'accept', 'accept4', 'sendmmsg'])
      expect(answer(name)).toBe('notify');
    expect(answer('sendto', 3n, 1n, 1n, 0n, 0n, 0n)).toBe(own);
    expect(answer('sendto', 3n, 1n, 1n, 0n, HIGH, 110n)).toBe('notify');
    // SO_ATTACH_FILTER, SO_ATTACH_BPF, and an option of another level.
    expect(answer('setsockopt', 3n, 1n, 26n)).toBe('notify');
    expect(answer('setsockopt', 3n, 1n, 50n)).toBe('notify');
    expect(answer('setsockopt', 3n, 6n, 7n)).toBe('notify');
  });

  it('keeps limits of others, personality and device files', () => {
    expect(answer('prlimit64', 0n, 7n)).toBe('allow');
    expect(answer('prlimit64', 1n, 7n)).toBe('notify');
    expect(answer('personality', 0xffff_ffffn)).toBe('allow');
    for (const persona of [0n, 0x4_0000n, 0x40_0000n]) expect(answer('personality', persona)).toBe('notify');
    expect(answer('mknodat', 0n, 0n, 0x11b6n)).toBe('allow');
    expect(answer('mknodat', 0n, 0n, 0x21b6n)).toBe('notify');
    expect(answer('mknodat', 0n, 0n, 0x61b6n)).toBe('notify');
    expect(answer('mknodat', 0n, 0n, 0x31b6n)).toBe('notify');
    expect(answer('sendfile', 1n, 2n)).toBe('ENOTSOCK');
  });
});

it('SYSCALL_GROUPS name only calls that exist, each once', () => {
  const known = new Set(syscallNames());
  for (const [group, { names }] of SYSCALL_GROUPS) {
    expect(names.filter((name) => !known.has(name)).map((name) => `${group} ${name}`)).toEqual([]);
    expect(new Set(names).size).toBe(names.length);
  }
});

it('PROFILES name only groups that exist', () => {
  for (const { groups } of PROFILES.values()) expect(groups.filter((name) => !SYSCALL_GROUPS.has(name))).toEqual([]);
});

it('DANGEROUS_CALLS are calls that exist', () => {
  const known = new Set(syscallNames());
  expect([...DANGEROUS_CALLS.keys()].filter((name) => !known.has(name))).toEqual([]);
});
