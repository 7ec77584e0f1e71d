import { expect, it } from 'vitest';
import { policyText } from '../../src/run/filter-text.ts';
import { compilePolicy, type SyscallPolicy } from '../../src/run/policy.ts';
import { ALLOW, errno, KILL, NOTIFY, word } from '../../src/run/syscall-rule.ts';

it('policyText() says what a policy does, by name', () => {
  const policy: SyscallPolicy = {
    profile: 'small',
    rules: new Map([
      ['clone3', [{ when: [], action: errno('ENOSYS') }]],
      [
        'ioctl',
        [
          { when: [word(1, [0x5401])], action: ALLOW, meaning: 'TCGETS' },
          { when: [word(1, [0x4004_9409])], action: errno('EOPNOTSUPP'), meaning: 'FICLONE' },
        ],
      ],
      [
        'prctl',
        [
          { when: [word(0, [15])], action: ALLOW },
          { when: [], action: KILL },
        ],
      ],
      ['ptrace', [{ when: [], action: ALLOW }]],
      ['read', [{ when: [], action: ALLOW }]],
    ]),
    otherwise: NOTIFY,
    unassigned: errno('ENOSYS'),
  };
  expect(policyText(policy, 'arm64')).toBe(
    `
profile small on arm64
allowed (2):
  ptrace read
allowed in part (2):
  ioctl: TCGETS; FICLONE: EOPNOTSUPP; else: EPERM, reported
  prctl: some arguments; else: the process is killed
answered ENOSYS, not reported:
  clone3
numbers without a name: ENOSYS
everything else: EPERM, reported
warning: \`ptrace\` reads and changes other processes
`.slice(1),
  );
});

it('policyText() of each profile fits into 100 columns', () => {
  const text = policyText(compilePolicy({ profile: 'python', allow: [], deny: [] }, 'amd64'), 'amd64');
  expect(text.split('\n').filter((line) => line.length > 100)).toEqual([]);
  expect(text).toContain('  clone: threads of this process; else: EPERM, reported\n');
});
