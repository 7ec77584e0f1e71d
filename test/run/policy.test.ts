import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RootcellarError } from '../../src/base/rootcellar-error.ts';
import type { SyscallSettings } from '../../src/recipe/recipe.ts';
import { compilePolicy, dangerousCalls, policyVocabulary, withoutListener } from '../../src/run/policy.ts';

function settings(changes: Partial<SyscallSettings>): SyscallSettings {
  return { profile: 'python', allow: [], deny: [], ...changes };
}

function problemsOf(changes: Partial<SyscallSettings>): readonly (string | undefined)[] {
  try {
    compilePolicy(settings(changes), 'amd64');
  } catch (error) {
    if (!(error instanceof RootcellarError)) throw error;
    return error.problems.flatMap(({ code, message, hint }) => [code, message, hint]);
  }
  return [];
}

const ALLOWED = [{ when: [], action: { kind: 'allow' } }];

describe('compilePolicy()', () => {
  it('adds a call by its name, whatever its arguments are', () => {
    expect(compilePolicy(settings({}), 'amd64').rules.get('socket')).toBeUndefined();
    expect(compilePolicy(settings({ allow: ['socket'] }), 'amd64').rules.get('socket')).toEqual(ALLOWED);
    expect(compilePolicy(settings({ allow: ['ioctl'] }), 'amd64').rules.get('ioctl')).toEqual(ALLOWED);
    expect(compilePolicy(settings({ allow: ['clone3'] }), 'amd64').rules.get('clone3')).toEqual(ALLOWED);
  });

  it('adds a group with the conditions that it has for its calls', () => {
    const alone = compilePolicy(settings({}), 'amd64').rules.get('clone');
    const policy = compilePolicy(settings({ allow: ['@subprocess'] }), 'amd64');
    expect(policy.rules.get('execve')).toEqual(ALLOWED);
    expect(policy.rules.get('clone')).toHaveLength(2);
    expect(policy.rules.get('clone')?.[0]).toEqual(alone?.[0]);
    expect(compilePolicy(settings({ allow: ['@threads'] }), 'amd64').rules.get('clone')).toEqual(alone);
    expect(compilePolicy(settings({ allow: ['@network'] }), 'amd64').rules.get('socketpair')).toEqual(ALLOWED);
  });

  it('takes away what is denied, also from what is allowed, and leaves quiet refusals', () => {
    const policy = compilePolicy(
      settings({ allow: ['socket', '@subprocess'], deny: ['socket', '@file-system', 'clone3', 'clone'] }),
      'amd64',
    );
    expect(policy.rules.has('socket')).toBe(false);
    expect(policy.rules.has('openat')).toBe(false);
    expect(policy.rules.has('clone')).toBe(false);
    expect(policy.rules.get('clone3')).toEqual([{ when: [], action: { kind: 'errno', name: 'ENOSYS' } }]);
    expect(policy.rules.get('sendfile')).toEqual([{ when: [], action: { kind: 'errno', name: 'ENOTSOCK' } }]);
  });

  it('leaves out names that the architecture does not have', () => {
    const policy = compilePolicy(settings({ allow: ['fork'] }), 'arm64');
    expect(policy.rules.has('open')).toBe(false);
    expect(policy.rules.has('fork')).toBe(false);
    expect(policy.rules.has('openat')).toBe(true);
  });

  it('refuses unknown words, all at once, and says what was probably meant', () => {
    expect(problemsOf({ profile: 'pyhton', allow: ['sockt', '@netwrk'], deny: ['opneat'] })).toEqual([
      'E_POLICY',
      'sandbox.syscalls.profile `pyhton` does not exist',
      'did you mean `python`?',
      'E_POLICY',
      'sandbox.syscalls.allow: system call `sockt` does not exist',
      'did you mean `socket`?',
      'E_POLICY',
      'sandbox.syscalls.allow: group `@netwrk` does not exist',
      'did you mean `@network`?',
      'E_POLICY',
      'sandbox.syscalls.deny: system call `opneat` does not exist',
      'did you mean `openat`?',
    ]);
  });

  it('refuses numbers and names the calls that they are', () => {
    expect(problemsOf({ allow: ['39'] })).toEqual([
      'E_POLICY',
      'sandbox.syscalls.allow: `39` is a number, and numbers differ between architectures',
      'write `getpid` (amd64) or `umount2` (arm64)',
    ]);
    expect(problemsOf({ deny: ['4000'] })[2]).toBe('write the name of the system call');
  });

  it('lists the choice where nothing is near', () => {
    expect(problemsOf({ profile: 'zzzzzzzz' })[2]).toBe('use node, python, python-subprocess');
  });

  it('answers any words with a policy or with E_POLICY', () => {
    const words = fc.array(fc.oneof(fc.string(), fc.constantFrom(...policyVocabulary().syscalls, '@threads', '')), {
      maxLength: 6,
    });
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.constant('python')), words, words, (profile, allow, deny) => {
        const problems = problemsOf({ profile, allow, deny });
        expect(problems.filter((_text, index) => index % 3 === 0).every((code) => code === 'E_POLICY')).toBe(true);
        expect(problems.every((text) => text !== undefined && text.length < 400)).toBe(true);
      }),
    );
  });

  it('takes every word of the vocabulary', () => {
    const { profiles, groups, syscalls } = policyVocabulary();
    for (const profile of profiles) expect(problemsOf({ profile, allow: [...groups, ...syscalls] })).toEqual([]);
    expect(problemsOf({ deny: [...groups, ...syscalls] })).toEqual([]);
  });
});

it('policyVocabulary() has the names that recipes use', () => {
  const { profiles, groups, syscalls } = policyVocabulary();
  expect(profiles).toEqual(['node', 'python', 'python-subprocess']);
  expect(groups).toContain('@subprocess');
  expect(syscalls).toContain('openat');
});

describe('dangerousCalls()', () => {
  it('warns of what a recipe allows and should not', () => {
    const policy = compilePolicy(settings({ allow: ['ptrace', 'ioctl', 'getcpu', '@network'] }), 'amd64');
    expect(dangerousCalls(policy).map(({ name }) => name)).toEqual([
      'ioctl',
      'ptrace',
      'sendto',
      'setsockopt',
      'socket',
      'socketpair',
    ]);
    expect(dangerousCalls(policy)[1]?.reason).toBe('reads and changes other processes');
  });

  it.each(policyVocabulary().profiles)('finds nothing in profile %s', (profile) => {
    expect(dangerousCalls(compilePolicy(settings({ profile }), 'amd64'))).toEqual([]);
    expect(dangerousCalls(compilePolicy(settings({ profile }), 'arm64'))).toEqual([]);
  });
});

it('withoutListener() answers EPERM where there is nobody to tell', () => {
  const policy = withoutListener(compilePolicy(settings({}), 'amd64'));
  expect(policy.otherwise).toEqual({ kind: 'errno', name: 'EPERM' });
  expect(policy.unassigned).toEqual({ kind: 'errno', name: 'ENOSYS' });
  expect(policy.rules.get('read')).toEqual(ALLOWED);
});
