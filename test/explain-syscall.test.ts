import { describe, expect, it } from 'vitest';
import type { Architecture } from '../src/base/architecture.ts';
import { explainGroup, explainSyscall } from '../src/explain-syscall.ts';
import { DEFAULT_SANDBOX, type SyscallSettings } from '../src/recipe/recipe.ts';

function image(syscalls: Partial<SyscallSettings> = {}, architecture: Architecture = 'amd64') {
  const sandbox = { ...DEFAULT_SANDBOX, syscalls: { ...DEFAULT_SANDBOX.syscalls, ...syscalls } };
  return { name: 'mine', architecture, sandbox };
}

function text(thing: string, ...of: Parameters<typeof image>): string {
  const asked = image(...of);
  const stories = [...explainSyscall(asked, thing), ...explainGroup(asked, thing)];
  return stories.map(({ lines }) => lines.join('\n')).join('\n\n');
}

describe('explainSyscall()', () => {
  it('tells how a denied call is answered, its numbers, who needs it, what it risks, and what allows it', () => {
    expect(text('sched_setaffinity')).toBe(`\
sched_setaffinity: a system call, denied in cells of mine by profile \`python\`
  answered: EPERM, reported
  number: 203 on amd64, 122 on arm64
  in @scheduling: priorities and the choice of processors
  needed by: OpenMP runtimes (Intel's, LLVM's and GNU's: torch, MKL, scikit-learn) when threads are bound; psutil, taskset
  risk: chooses processors, and so disturbs whom it likes of those that share them
  to allow it, add sched_setaffinity to \`sandbox.syscalls.allow\` of the recipe`);
  });

  it('tells for which arguments a call is allowed', () => {
    expect(text('clone')).toContain('allowed for some arguments in cells of mine');
    expect(text('clone')).toContain('  arguments: threads of this process; else: EPERM, reported\n');
    expect(text('clone', { profile: 'python-subprocess' })).toContain('new processes, in the same namespaces');
  });

  it('tells of a call that is answered ENOSYS that nobody hears of it', () => {
    expect(text('clone3')).toContain('  answered: ENOSYS, not reported\n');
  });

  it('says nothing of risks of a plain call that is allowed', () => {
    expect(text('read')).toBe(`\
read: a system call, allowed in cells of mine by profile \`python\`
  number: 0 on amd64, 63 on arm64
  in @basic-io: reading and writing what is open, and pipes`);
  });

  it.each([
    ['ptrace', {}, 'add ptrace to `sandbox.syscalls.allow` of the recipe, at that risk'],
    ['socket', {}, 'add "@network" to `sandbox.syscalls.allow` of the recipe, which allows all of it'],
    ['clone', {}, 'add "@subprocess" to `sandbox.syscalls.allow` of the recipe, which has conditions for it'],
    ['flock', {}, 'add flock to `sandbox.syscalls.allow` of the recipe'],
    ['getpid', { deny: ['getpid'] }, 'take getpid out of `sandbox.syscalls.deny` of the recipe'],
    ['getpid', { deny: ['@process-info'] }, 'take @process-info out of `sandbox.syscalls.deny` of the recipe'],
  ])('says what to write for %s with %j', (call, syscalls, remedy) => {
    expect(explainSyscall(image(syscalls), call)[0]?.facts).toMatchObject({ remedy });
  });

  it('says nothing of what to write where all is allowed', () => {
    expect(text('ptrace', { allow: ['ptrace'] })).not.toContain('to allow');
  });

  it('takes a number for the call that it is on each architecture', () => {
    const stories = explainSyscall(image(), '41');
    expect(stories.map(({ facts }) => facts['name'])).toEqual(['socket', 'pivot_root']);
    expect(explainSyscall(image(), '435')).toHaveLength(1);
    expect(explainSyscall(image(), '9999')).toEqual([]);
    expect(explainSyscall(image(), '123456789012')).toEqual([]);
  });

  it('says of a call of the other architecture only that it is not there', () => {
    expect(text('open', {}, 'arm64')).toMatch(/^open: no system call of arm64, which mine is for; 2 on amd64\n/);
    expect(explainSyscall(image({}, 'arm64'), 'open')[0]?.facts).toMatchObject({ verdict: 'absent' });
  });

  it('knows nothing of other words', () => {
    for (const word of ['socketcall', 'toString', '', '@network', '-1'])
      expect(explainSyscall(image(), word)).toEqual([]);
  });
});

describe('explainGroup()', () => {
  it('tells what of a group is allowed, in whole and in part, and what allows the rest', () => {
    expect(text('@subprocess', {}, 'arm64')).toBe(`\
@subprocess: a group of 8 system calls on arm64: starting other programs of the image and waiting for them
  in the profiles python-subprocess; in cells of mine, by profile \`python\`:
  denied: execve execveat wait4 waitid setpgid setsid pidfd_open
  allowed in part: clone: threads of this process; else: EPERM, reported`);
    expect(text('@scheduling')).toContain('  to allow it, add "@scheduling" to `sandbox.syscalls.allow` of the recipe');
    expect(text('@scheduling', { allow: ['@scheduling'] })).not.toContain('to allow it');
  });

  it('advises nobody to allow what a group is there to deny', () => {
    expect(text('@probed')).not.toContain('to allow it');
  });

  it('knows nothing of other words', () => {
    expect(explainGroup(image(), '@nothing')).toEqual([]);
  });
});
