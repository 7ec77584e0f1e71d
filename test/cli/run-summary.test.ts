import { expect, it } from 'vitest';
import { lossText, runStatus, runSummary } from '../../src/cli/run-summary.ts';
import { DEFAULT_LIMITS } from '../../src/recipe/recipe.ts';
import type { RunReport } from '../../src/run/run-report.ts';

const REPORT: RunReport = {
  status: 'ok',
  exit_code: 0,
  signal: null,
  events: [],
  truncated: { stdout: false, stderr: false },
  time: { wall_ms: 1, cpu_ms: 1, setup_ms: 1, start: 'cold' },
  memory: { peak_bytes: 1, enforced_by: 'cgroup' },
  processes_peak: 1,
  denied: [],
  isolation: { tier: 'A', layers: [], missing: [] },
  image: { name: 'python', digest: `sha256:${'0'.repeat(64)}` },
  limits: DEFAULT_LIMITS,
};

it.each<[Partial<RunReport>, number]>([
  [{}, 0],
  [{ status: 'error', exit_code: 7 }, 7],
  [{ status: 'signal', exit_code: null, signal: 'SIGSEGV' }, 139],
  [{ status: 'signal', exit_code: null, signal: 'SIG40' }, 168],
  [{ status: 'denied', exit_code: null, signal: 'SIGSYS' }, 159],
  [{ status: 'timeout', exit_code: null }, 124],
  [{ status: 'cpu_limit', exit_code: null }, 124],
  [{ status: 'oom', exit_code: null }, 137],
  [{ status: 'internal', exit_code: null }, 125],
])('runStatus() of %j is %i', (facts, status) => {
  expect(runStatus({ ...REPORT, ...facts })).toBe(status);
});

it('runStatus() of a cancelled run is that of the signal that was passed on', () => {
  const cancelled: RunReport = { ...REPORT, status: 'cancelled', exit_code: null };
  expect([runStatus(cancelled), runStatus(cancelled, 'SIGHUP')]).toEqual([137, 129]);
});

it('runSummary() says nothing of a run that went well, whatever was denied', () => {
  const denied = [{ syscall: 'socket', nr: 41, arch: 'amd64', count: 1 }] as const;
  expect(runSummary({ ...REPORT, denied })).toBe('');
  expect(runSummary({ ...REPORT, denied, status: 'error', exit_code: 1 })).toContain('socket (amd64 41) × 1');
});

it('runSummary() tells whether a recipe could allow what was denied', () => {
  const own = {
    ...REPORT,
    status: 'denied',
    denied: [{ syscall: 'ptrace', nr: 101, arch: 'amd64', count: 9 }],
  } as const;
  expect(runSummary(own)).toContain('`sandbox.syscalls.allow` in the recipe can add them');
  const x32 = { ...own, denied: [{ syscall: 'execve', nr: 520, arch: 'x32', count: 1 }] } as const;
  expect(runSummary(x32)).toContain('execve (x32 520) × 1; nothing allows calls by the rules of another architecture');
});

it('runSummary() tells which limit was hit, and why nothing was run', () => {
  expect(runSummary({ ...REPORT, status: 'oom' })).toContain('more than 256 MiB (`memory`)');
  const error = { step: 'root-tmp', message: 'root filesystem: `/tmp` is a symbolic link' };
  expect(runSummary({ ...REPORT, status: 'rejected', error })).toMatch(
    /^error\[E_ROOTFS_UNSAFE\] .*nothing was run\n {2}hint: /,
  );
});

it('what a run gave and could not be kept makes a good run fail, and is told', () => {
  const events = [{ kind: 'output_lost', stream: 'stdout', reason: 'ENOSPC' }] as const;
  const files = [
    { path: 'good', bytes: 1 },
    { path: 'a\nb', bytes: 0, error: 'symlink' },
    { path: 'c', bytes: 0, error: 'not-written', reason: 'EACCES' },
  ] as const;
  const report: RunReport = { ...REPORT, events, files };
  expect(runSummary(report)).toBe(
    'rootcellar: its output is lost: stdout cannot be written (ENOSPC)\n' +
      'rootcellar: not taken: `a\\nb`: is a symbolic link, or behind one\n' +
      'rootcellar: not taken: `c`: cannot be written here (EACCES)\n',
  );
  expect(lossText(report)).toBe(runSummary(report));
  expect(runStatus(report)).toBe(1);
  expect(runStatus({ ...REPORT, files: [{ path: 'good', bytes: 1 }] })).toBe(0);
  expect(runStatus({ ...report, status: 'error', exit_code: 7 })).toBe(7);
});

it('runSummary() names the first files of many', () => {
  const files = Array.from({ length: 30 }, (_, index) => ({ path: `${index}`, bytes: 0, error: 'symlink' }) as const);
  const lines = runSummary({ ...REPORT, files })
    .trimEnd()
    .split('\n');
  expect(lines).toHaveLength(21);
  expect(lines.at(-1)).toBe('rootcellar: and 10 more files: --report FILE names them');
});

it('runSummary() of a run that failed tells what its proxy refused', () => {
  const refused = { kind: 'network_refused', host: 'a.test', port: 443, reason: 'host_not_allowed', count: 2 } as const;
  const events = [refused, { ...refused, host: '', port: 0, reason: 'bad_request', count: 1 } as const];
  expect(runSummary({ ...REPORT, events })).toBe('');
  expect(runSummary({ ...REPORT, events, status: 'error', exit_code: 1 })).toBe(
    'rootcellar: refused by its proxy: a.test:443 (host not allowed) × 2, a request (bad request) × 1; --allow-host, or the recipe, can add hosts\n',
  );
});
