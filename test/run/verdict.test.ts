import { describe, expect, it } from 'vitest';
import { DEFAULT_LIMITS } from '../../src/recipe/recipe.ts';
import { readStatus, type CellFacts } from '../../src/run/status-reader.ts';
import { judgeRun, type Verdict } from '../../src/run/verdict.ts';

const OOM = { readings: new Map([['memory_events', 'low 0 high 0 max 3 oom 1 oom_kill 1']]) };
const SIGNALLED = (signal: number): Partial<CellFacts> => ({ end: { kind: 'signalled', signal } });

function judge(change: Partial<CellFacts>): Verdict {
  const whole = readStatus('cell 1\nend exited 0\nsurvivors 0\ncleanup proven\ndone\n');
  return judgeRun({
    facts: { ...whole, ...change },
    limits: DEFAULT_LIMITS,
    tier: 'A',
    syscallName: (arch, nr) => (arch === 'amd64' && nr === 41 ? 'socket' : undefined),
  });
}

describe('judgeRun()', () => {
  it.each<[string, Partial<CellFacts>, Partial<Verdict>]>([
    ['exit 0', {}, { status: 'ok', exit_code: 0, signal: null, events: [] }],
    ['exit 3', { end: { kind: 'exited', status: 3 } }, { status: 'error', exit_code: 3 }],
    ['SIGSEGV', SIGNALLED(11), { status: 'signal', signal: 'SIGSEGV', exit_code: null }],
    ['SIGKILL and nothing else', SIGNALLED(9), { status: 'signal', signal: 'SIGKILL' }],
    ['SIGKILL with an OOM kill', { ...SIGNALLED(9), ...OOM }, { status: 'oom', signal: 'SIGKILL' }],
    [
      'the whole group killed for memory',
      { end: undefined, failure: { step: 'init-died', errno: 3 }, ...OOM },
      { status: 'oom' },
    ],
    [
      'exit 1 with a full /tmp',
      { end: { kind: 'exited', status: 1 }, isTmpFull: true },
      { status: 'disk_limit', exit_code: 1 },
    ],
    ['SIGBUS with a full /tmp', { ...SIGNALLED(7), isTmpFull: true }, { status: 'disk_limit', signal: 'SIGBUS' }],
    ['SIGSEGV with a full /tmp', { ...SIGNALLED(11), isTmpFull: true }, { status: 'signal', signal: 'SIGSEGV' }],
    ['exit 0 with a full /tmp', { isTmpFull: true }, { status: 'ok', events: [{ kind: 'disk_full' }] }],
    [
      'SIGSYS where a listener hears of denials',
      { ...SIGNALLED(31), layers: ['seccomp-notify'] },
      { status: 'signal' },
    ],
    ['SIGSYS where nobody hears it', { ...SIGNALLED(31), layers: ['seccomp'] }, { status: 'denied', signal: 'SIGSYS' }],
    [
      'SIGXCPU with its time used up',
      { ...SIGNALLED(24), readings: new Map([['cpu', '6000000000']]) },
      { status: 'cpu_limit', signal: 'SIGXCPU' },
    ],
    [
      'SIGXCPU that it sent to itself',
      { ...SIGNALLED(24), readings: new Map([['cpu', '15000000']]) },
      { status: 'signal', signal: 'SIGXCPU' },
    ],
    ['the wall', { end: undefined, cause: 'wall' }, { status: 'timeout', exit_code: null, events: [{ kind: 'wall' }] }],
    ['the wall and an OOM kill', { end: undefined, cause: 'wall', ...OOM }, { status: 'timeout' }],
    ['CPU time', { end: undefined, cause: 'cpu' }, { status: 'cpu_limit', events: [{ kind: 'cpu' }] }],
    ['too much output after the end', { cause: 'output' }, { status: 'output_limit', exit_code: 0 }],
    ['too many denials', { end: undefined, cause: 'denied' }, { status: 'denied' }],
    ['an abort', { end: undefined, cause: 'cancelled' }, { status: 'cancelled' }],
  ])('takes %s for what it is', (_, facts, verdict) => {
    expect(judge(facts)).toMatchObject(verdict);
  });

  it.each<[string, number, string]>([
    ['root-tmp', 40, 'root filesystem: `/tmp` is a symbolic link'],
    ['root-run', 20, 'root filesystem: `/run` is not a directory'],
    ['root-dev', 2, 'root filesystem: has no directory `/dev`'],
    ['root-dev', 18, 'root filesystem: `/dev` cannot be used (EXDEV)'],
    ['directory', 2, 'working directory: cannot be entered (ENOENT)'],
    ['exec', 2, 'program: the interpreter, or its loader, is not in the root filesystem (ENOENT)'],
    ['exec', 8, 'program: the interpreter is not for this machine (ENOEXEC)'],
    ['exec', 5, 'program: cannot be executed (EIO)'],
  ])('rejects what failed in the step %s with errno %i', (step, errno, message) => {
    const verdict = judge({ failure: { step, errno }, end: undefined });
    expect(verdict).toMatchObject({ status: 'rejected', exit_code: null, error: { step, message } });
  });

  it('blames the host for any other step', () => {
    expect(judge({ failure: { step: 'pivot', errno: 1 }, end: undefined })).toMatchObject({
      status: 'internal',
      error: { step: 'pivot', message: 'sandbox: the step `pivot` failed (EPERM)' },
    });
  });

  it('never calls an incomplete report a success', () => {
    expect(judge({ isComplete: false, isCleanupProven: false })).toMatchObject({
      status: 'internal',
      exit_code: null,
      error: { step: 'launcher' },
      events: [{ kind: 'cleanup_unproven' }],
    });
  });

  it('names denied calls, and keeps the number of those without a name', () => {
    const denied = [
      { auditArch: 0xc000003e, nr: 41, count: 2 },
      { auditArch: 0x40000003, nr: 7, count: 1 },
      { auditArch: 0xc000003e, nr: 0x4000_0208, count: 1 },
      { auditArch: 0xc000003e, nr: 0xffff_fff0 | 0, count: 1 },
      { auditArch: 0x40000028, nr: 11, count: 1 },
    ];
    const verdict = judge({ denied });
    expect(verdict.denied).toEqual([
      { syscall: 'socket', nr: 41, arch: 'amd64', count: 2 },
      { syscall: 'syscall_7', nr: 7, arch: 'i386', count: 1 },
      { syscall: 'syscall_520', nr: 520, arch: 'x32', count: 1 },
      { syscall: 'syscall_3221225456', nr: 3_221_225_456, arch: 'x32', count: 1 },
      { syscall: 'syscall_11', nr: 11, arch: 'arm', count: 1 },
    ]);
    expect(verdict.events).toEqual([
      { kind: 'syscall_denied', syscall: 'socket', count: 2 },
      { kind: 'syscall_denied', syscall: 'syscall_7', count: 1 },
      { kind: 'syscall_denied', syscall: 'syscall_520', count: 1 },
      { kind: 'syscall_denied', syscall: 'syscall_3221225456', count: 1 },
      { kind: 'syscall_denied', syscall: 'syscall_11', count: 1 },
    ]);
  });

  it('takes figures from the control groups of either version', () => {
    const one = new Map([
      ['cpu', '1500000'],
      ['memory_peak', '4096'],
      ['processes_peak', '3'],
      ['processes_events', 'max 4'],
      ['memory_events', 'oom_kill_disable 0 under_oom 0 oom_kill 0'],
    ]);
    const verdict = judge({ readings: one, wallMicros: 2345, setupMicros: 1200, survivors: 2 });
    expect(verdict.time).toEqual({ wall_ms: 2.35, cpu_ms: 1.5, setup_ms: 1.2, start: 'cold' });
    expect(verdict.memory).toEqual({ peak_bytes: 4096, enforced_by: 'cgroup' });
    expect(verdict.processes_peak).toBe(2);
    expect(verdict.events).toEqual([
      { kind: 'pids_max', count: 4 },
      { kind: 'killed_descendants', count: 2 },
    ]);
    const two = new Map([['cpu', 'usage_usec 2500 user_usec 1000 system_usec 1500']]);
    expect(judge({ readings: two }).time.cpu_ms).toBe(2.5);
    expect(judge({ usageMicros: 700 }).time.cpu_ms).toBe(0.7);
    expect(judge({}).memory.peak_bytes).toBeNull();
  });
});
