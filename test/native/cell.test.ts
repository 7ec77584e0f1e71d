import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseMembership } from '../../src/run/cgroup-host.ts';
import { probeCgroups } from '../../src/run/cgroup-probe.ts';
import { sweepCgroups } from '../../src/run/cgroup-sweep.ts';
import { launchCell } from '../../src/run/launch-cell.ts';
import { heardFilter } from '../../src/run/heard-filter.ts';
import { encodePlan } from '../../src/run/launch-plan.ts';
import { readStatus } from '../../src/run/status-reader.ts';
import {
  CANNOT_SANDBOX,
  makeToyHost,
  NUMBERS,
  removeToyHost,
  runToy,
  toyFilter,
  toyPlan,
  type ToyHost,
} from './toy-cell.ts';

const PROGRAMS = [
  'exit-with',
  'spin',
  'memory-hog',
  'foreign-call',
  'fork-bomb',
  'print-flood',
  'ignore-signals',
  'daemonise',
  'die-by',
  'echo-input',
  'show-surroundings',
  'fill-tmp',
  'try-syscall',
  'exec-again',
];

describe.skipIf(CANNOT_SANDBOX)('a cell', () => {
  let host: ToyHost;
  beforeAll(() => {
    host = makeToyHost(PROGRAMS, 310_000);
  }, 60_000);
  afterAll(() => removeToyHost(host));

  it('passes the exit status on', async () => {
    const { verdict, facts } = await runToy(host, { arguments: ['7'] });
    expect(facts.failure).toBeUndefined();
    expect(verdict).toMatchObject({ status: 'error', exit_code: 7, signal: null, events: [], denied: [] });
    expect((await runToy(host, {})).verdict).toMatchObject({ status: 'ok', exit_code: 0 });
    expect(verdict.isolation.layers).toContain('seccomp-notify');
    expect([...verdict.isolation.layers, ...verdict.isolation.missing]).toContain('landlock');
  });

  it('shows the guest itself and nothing of the host', async () => {
    const { stdout, verdict, facts } = await runToy(host, { program: 'show-surroundings', arguments: ['a b', ''] });
    expect(verdict.status).toBe('ok');
    const uid = facts.uid ?? 0;
    expect(uid).toBeGreaterThanOrEqual(310_000);
    const probe = execFileSync(host.cellPath, ['probe'], { encoding: 'utf8' });
    const landlock = Number(/^landlock (\d+)$/m.exec(probe)?.[1]);
    const lines = stdout.toString().split('\n');
    expect(lines.filter((line) => !line.startsWith('rlimit:'))).toEqual([
      'argument:0 /bin/show-surroundings',
      'argument:1 a b',
      'argument:2 ',
      'variable LANG=C.UTF-8',
      `uids ${uid} ${uid} ${uid}`,
      `gids ${uid} ${uid} ${uid}`,
      'groups 0',
      'capabilities 0 0 0 0',
      'no_new_privs 1',
      `securebits ${1 + 2 + 8 + 32 + 64 + 128}`,
      'pid 2',
      'parent 1',
      'session 1',
      'descriptors 0 1 2',
      'tty 0',
      'odd_signals 0',
      'hostname cell',
      'directory /tmp',
      'umask 22',
      expect.stringMatching(/^list:\/( (bin|tmp|dev|run|etc)){5}$/),
      expect.stringMatching(/^list:\/dev( (null|zero|full|random|urandom|shm)){6}$/),
      'list:/run program',
      'list:/tmp',
      'open:/etc/passwd ENOENT',
      'open:/etc/canary ok',
      'open:/proc/self/exe ENOENT',
      'open:/../../../etc/passwd ENOENT',
      'open:/bin/planted EROFS',
      'open:/planted EROFS',
      'open:/dev/planted EROFS',
      'open:/run/program/planted EROFS',
      'open:/run/program/main.py ok',
      expect.stringMatching(/^open:\/run\/program\/main.py (EROFS|EACCES)$/),
      'open:/tmp/planted ok',
      'open:/dev/null ok',
      'open:/dev/tty ENOENT',
      expect.stringMatching(/^mknod (EPERM|EACCES)$/),
      'kill_init EPERM',
      expect.stringMatching(/^kill_all (ESRCH|EPERM|ok)$/),
      'interfaces lo',
      landlock >= 4 ? 'bind EACCES' : 'bind ok',
      '',
    ]);
    expect(lines).toEqual(expect.arrayContaining(['rlimit:4 1 1', 'rlimit:7 256 256', 'rlimit:8 0 0']));
  });

  it('inherits nothing of a careless caller', async () => {
    const cellPath = `${host.folder}/careless`;
    const script = `umask 777; trap '' HUP TERM PIPE; exec 8</etc/passwd 9</; export SECRET=1; ulimit -c unlimited`;
    writeFileSync(cellPath, `#!/bin/sh\n${script}\nexec setpriv --groups 4,24 '${host.cellPath}' "$@"\n`, {
      mode: 0o755,
    });
    const { stdout } = await runToy(host, { program: 'show-surroundings', request: { cellPath } });
    const lines = stdout.toString().split('\n');
    expect(lines).toEqual(
      expect.arrayContaining(['groups 0', 'descriptors 0 1 2', 'odd_signals 0', 'umask 22', 'rlimit:4 1 1']),
    );
    expect(lines.filter((line) => line.startsWith('variable'))).toEqual(['variable LANG=C.UTF-8']);
  });

  it('passes stdin, stdout and stderr through, whatever their bytes', async () => {
    const input = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * 7) % 256));
    const { stdout, stderr, verdict } = await runToy(host, { program: 'echo-input', request: { input } });
    expect(verdict).toMatchObject({ status: 'ok', truncated: { stdout: false, stderr: false } });
    expect(stdout.equals(input)).toBe(true);
    expect(stderr.equals(input)).toBe(true);
  });

  it.each([
    ['pipes', 'cat input | "$CELL" run 3<plan 4>status 2>errors | cat >output'],
    ['files', '"$CELL" run <input >output 2>errors 3<plan 4>status'],
    ['a terminal', 'script -qec \'"$CELL" run <input 2>errors 3<plan 4>status\' /dev/null >output </dev/null'],
  ])('relays between the program and %s', async (_, command) => {
    const plan = await toyPlan(host, { program: 'echo-input' });
    const input = 'x'.repeat(99).concat('\n').repeat(3000);
    writeFileSync(`${host.folder}/plan`, encodePlan(plan));
    writeFileSync(`${host.folder}/input`, input);
    execFileSync('sh', ['-c', command], { cwd: host.folder, env: { ...process.env, CELL: host.cellPath } });
    expect(readFileSync(`${host.folder}/output`, 'utf8').replaceAll('\r', '')).toBe(input);
    expect(readFileSync(`${host.folder}/errors`, 'utf8')).toBe(input);
    expect(readStatus(readFileSync(`${host.folder}/status`, 'latin1'))).toMatchObject({
      end: { kind: 'exited', status: 0 },
      isCleanupProven: true,
    });
  });

  it('gives a program without stdio an empty one', async () => {
    const plan = await toyPlan(host, { program: 'show-surroundings' });
    writeFileSync(`${host.folder}/plan`, encodePlan(plan));
    const command = 'exec "$CELL" run <&- >&- 2>&- 3<plan 4>status';
    execFileSync('sh', ['-c', command], { cwd: host.folder, env: { ...process.env, CELL: host.cellPath } });
    expect(readStatus(readFileSync(`${host.folder}/status`, 'latin1')).end).toEqual({ kind: 'exited', status: 0 });
  });

  it('survives a program that never reads its input', async () => {
    const { verdict } = await runToy(host, { request: { input: Buffer.alloc(1_000_000) } });
    expect(verdict.status).toBe('ok');
  });

  it.each([
    [11, 'SIGSEGV'],
    [6, 'SIGABRT'],
    [15, 'SIGTERM'],
    [9, 'SIGKILL'],
  ])('names signal %i, and never takes it for a lack of memory', async (number, name) => {
    const { verdict } = await runToy(host, { program: 'die-by', arguments: [`${number}`] });
    expect(verdict).toMatchObject({ status: 'signal', signal: name, exit_code: null, events: [] });
  });

  it('ends a run at its wall limit, though it ignores every signal', async () => {
    const { verdict, stdout } = await runToy(host, { program: 'ignore-signals', limits: { wallMs: 300 } });
    expect(verdict).toMatchObject({ status: 'timeout', exit_code: null, signal: null, events: [{ kind: 'wall' }] });
    expect(stdout.toString()).toBe('ready\n');
    expect(verdict.time.wall_ms).toBeGreaterThanOrEqual(300);
  });

  it.each([['1'], ['4']])('ends a run at its CPU limit, in %s processes', async (processes) => {
    const { verdict } = await runToy(host, { program: 'spin', arguments: [processes], limits: { cpuMs: 200 } });
    expect(verdict).toMatchObject({ status: 'cpu_limit', events: [{ kind: 'cpu' }] });
    expect(verdict.time.cpu_ms).toBeGreaterThanOrEqual(200);
  });

  it('tells a lack of memory by the word of the kernel', async () => {
    const { verdict } = await runToy(host, { program: 'memory-hog', limits: { memoryBytes: 16 * 1024 ** 2 } });
    expect(verdict).toMatchObject({ status: 'oom', memory: { enforced_by: 'cgroup' } });
    expect(verdict.events).toContainEqual({ kind: 'oom_kill', count: 1 });
    expect(verdict.memory.peak_bytes).toBeGreaterThan(15 * 1024 ** 2);
    expect(verdict.memory.peak_bytes).toBeLessThanOrEqual(16 * 1024 ** 2);
  });

  it('tells a lack of memory also when there was none to begin with', async () => {
    const program = { name: 'large', content: new Uint8Array(8 * 1024 ** 2) };
    const { verdict } = await runToy(host, { limits: { memoryBytes: 2 * 1024 ** 2 }, change: { program } });
    expect(verdict).toMatchObject({ status: 'oom', exit_code: null });
  });

  it('starts in a version 2 control group, and counts its CPU time there', async () => {
    const membership = parseMembership(
      readFileSync('/proc/self/cgroup', 'utf8'),
      readFileSync('/proc/self/mountinfo', 'utf8'),
    );
    const [unified] = membership.versionTwo;
    if (unified === undefined) throw new Error('this host has no version 2 control groups');
    const { cgroups } = await toyPlan(host, {});
    const startIn = `${unified}/${basename(host.folder)}-two`;
    const { verdict } = await runToy(host, {
      program: 'spin',
      arguments: ['2'],
      limits: { cpuMs: 150 },
      change: {
        cgroups: {
          ...cgroups,
          directories: [startIn, ...cgroups.directories],
          startIn,
          readings: [{ label: 'cpu', file: `${startIn}/cpu.stat` }],
          cpu: { file: `${startIn}/cpu.stat`, unit: 'usage_usec' },
        },
      },
    });
    expect(verdict.status).toBe('cpu_limit');
    expect(verdict.time.cpu_ms).toBeGreaterThanOrEqual(150);
  });

  it('bounds the number of processes', async () => {
    const { verdict } = await runToy(host, { program: 'fork-bomb', limits: { processes: 8, wallMs: 500 } });
    expect(verdict.status).toBe('timeout');
    expect(verdict.events).toContainEqual({ kind: 'pids_max', count: expect.any(Number) });
    expect(verdict.processes_peak).toBe(8);
  });

  it.each([
    ['1', 'stdout'],
    ['2', 'stderr'],
  ] as const)('ends a run that prints too much to descriptor %s', async (descriptor, stream) => {
    const run = { program: 'print-flood', arguments: [descriptor], limits: { outputBytes: 10_001 } };
    const outcome = await runToy(host, run);
    expect(outcome.verdict.status).toBe('output_limit');
    expect(outcome.verdict.events).toEqual([{ kind: 'output_truncated', stream }]);
    expect(outcome[stream].length).toBe(10_001);
  });

  it('lets exactly the output limit pass', async () => {
    const input = Buffer.alloc(5000, 'y');
    const run = { program: 'echo-input', limits: { outputBytes: 5000 }, request: { input } };
    expect((await runToy(host, run)).verdict.status).toBe('ok');
    const less = await runToy(host, { ...run, limits: { outputBytes: 4999 } });
    expect(less.verdict.status).toBe('output_limit');
    expect(less.stdout.length).toBe(4999);
  });

  it('ends with the main program, and counts whom it left behind', async () => {
    const { verdict, stdout } = await runToy(host, { program: 'daemonise' });
    expect(verdict).toMatchObject({ status: 'ok', events: [{ kind: 'killed_descendants', count: 2 }] });
    expect(stdout.toString()).toBe('left\n');
  });

  it('bounds /tmp in bytes and in files', async () => {
    const { stdout, verdict } = await runToy(host, { program: 'fill-tmp', limits: { tmpBytes: 1024 ** 2 } });
    expect(verdict.status).toBe('ok');
    const [, bytes, error, files, filesError] =
      /^bytes (\d+) (\d+)\nfiles (\d+) (\d+)\n$/.exec(stdout.toString()) ?? [];
    expect([Number(bytes), error, filesError]).toEqual([1024 ** 2, '28', '28']);
    // 64 inodes, one of which is the folder's own; the last unlinked file's has come back.
    expect(Number(files)).toBeGreaterThanOrEqual(62);
    expect(Number(files)).toBeLessThan(64);
  });

  it('tells that /tmp was full, and takes it for the reason when the program failed', async () => {
    const coped = await runToy(host, { program: 'fill-tmp', arguments: ['0'], limits: { tmpBytes: 1024 ** 2 } });
    expect(coped.verdict).toMatchObject({ status: 'ok', events: [{ kind: 'disk_full' }] });
    const failed = await runToy(host, { program: 'fill-tmp', arguments: ['3'], limits: { tmpBytes: 1024 ** 2 } });
    expect(failed.verdict).toMatchObject({ status: 'disk_limit', exit_code: 3, events: [{ kind: 'disk_full' }] });
  });

  it('names denied calls and goes on', async () => {
    const { stdout, verdict } = await runToy(host, {
      program: 'try-syscall',
      arguments: ['3', `${NUMBERS.denied}`, `${NUMBERS.execve}`],
    });
    expect(stdout.toString()).toBe(`${NUMBERS.denied} 1\n${NUMBERS.execve} 1\n`);
    expect(verdict.status).toBe('ok');
    expect(verdict.denied).toMatchObject([
      { nr: NUMBERS.denied, count: 3 },
      { syscall: 'execve', nr: NUMBERS.execve, count: 3 },
    ]);
    expect(verdict.denied.map(({ arch }) => arch)).toEqual(Array(2).fill(process.arch === 'x64' ? 'amd64' : 'arm64'));
  });

  it('ends a run that does not stop to make denied calls', async () => {
    const { verdict } = await runToy(host, { program: 'try-syscall', arguments: ['100000', `${NUMBERS.denied}`] });
    expect(verdict).toMatchObject({ status: 'denied', denied: [{ nr: NUMBERS.denied, count: 11 }] });
  });

  it('takes SIGSYS for a signal, since it hears of everything that is denied', async () => {
    const filter = toyFilter([NUMBERS.execve], [NUMBERS.denied]);
    const run = { program: 'try-syscall', arguments: ['1', `${NUMBERS.denied}`], change: { filter } };
    expect((await runToy(host, run)).verdict).toMatchObject({ status: 'signal', signal: 'SIGSYS' });
  });

  it.skipIf(process.arch !== 'x64').each([false, true])(
    'ends a run at the first call by other rules, and names it; traced: %s',
    async (isTraced) => {
      const filter = heardFilter(toyFilter([NUMBERS.execve]));
      const run = { program: 'foreign-call', arguments: ['i386'], change: { filter, isTraced } };
      const { verdict, stdout } = await runToy(host, run);
      expect(verdict).toMatchObject({ status: 'denied', denied: [{ nr: 20, arch: 'i386', count: 1 }] });
      expect(stdout.toString()).toBe('calling\n');
    },
  );

  it.skipIf(process.arch !== 'x64')('holds a call by other rules for which nobody is left to answer', async () => {
    const filter = heardFilter(toyFilter([NUMBERS.execve]));
    const run = { program: 'foreign-call', arguments: ['interrupted'], change: { filter } };
    const { verdict, stdout } = await runToy(host, run);
    expect(verdict).toMatchObject({ status: 'denied' });
    expect(stdout.toString()).not.toContain('done');
  });

  it('lets the first execve pass and no other', async () => {
    const again = await runToy(host, { program: 'exec-again', arguments: ['/bin/exit-with', '9'] });
    expect(again.verdict).toMatchObject({ status: 'error', exit_code: 1, denied: [{ syscall: 'execve', count: 1 }] });
    const allowed = await runToy(host, {
      program: 'exec-again',
      arguments: ['/bin/exit-with', '9'],
      change: { filter: toyFilter([NUMBERS.denied]) },
    });
    expect(allowed.verdict).toMatchObject({ status: 'error', exit_code: 9, denied: [] });
  });

  it('runs nothing under a filter that the kernel refuses, and says so', async () => {
    const { verdict } = await runToy(host, { change: { filter: Buffer.alloc(8, 255) } });
    expect(verdict).toMatchObject({ status: 'internal', error: { step: 'filter' } });
  });

  it.each([
    ['/bin/nothing', 'the interpreter, or its loader, is not in the root filesystem (ENOENT)'],
    ['/etc/canary', 'the interpreter is not executable (EACCES)'],
    ['/run/program/main.py', 'the interpreter is not executable (EACCES)'],
  ])('rejects %s, which cannot be executed', async (path, message) => {
    const { verdict } = await runToy(host, { change: { arguments: [path] } });
    expect(verdict).toMatchObject({ status: 'rejected', error: { step: 'exec', message: `program: ${message}` } });
  });

  it('rejects a working directory that is not there', async () => {
    const { verdict } = await runToy(host, { change: { workingDirectory: '/../etc/../nowhere' } });
    expect(verdict).toMatchObject({ status: 'rejected', error: { step: 'directory' } });
  });

  it('gives concurrent runs different user ids, and refuses when none is left', async () => {
    const identities = { firstUid: host.firstUid, count: 2, lockFile: `${host.folder}/two` };
    const run = { program: 'ignore-signals', limits: { wallMs: 700 }, change: { identities } };
    const plans = [await toyPlan(host, run), await toyPlan(host, run), await toyPlan(host, run)];
    const outcomes = await Promise.all(
      plans.map((plan) => launchCell({ plan, cellPath: host.cellPath, stdio: 'capture' }).outcome),
    );
    const uids = outcomes.map(({ facts }) => facts.uid ?? facts.failure);
    expect(uids).toContainEqual({ step: 'identity-lock', errno: 11 });
    expect(uids).toContain(host.firstUid);
    expect(uids).toContain(host.firstUid + 1);
  });

  it('does not touch control groups that exist already', async () => {
    const plan = await toyPlan(host, {});
    const [taken = ''] = plan.cgroups.directories;
    mkdirSync(taken);
    try {
      const { facts } = await launchCell({ plan, cellPath: host.cellPath, stdio: 'capture' }).outcome;
      expect(facts.failure).toEqual({ step: 'cgroup', errno: 17 });
      expect(existsSync(taken)).toBe(true);
    } finally {
      rmdirSync(taken);
    }
  });

  it('Z17 leaves control groups that are in use or young, and sweeps the others', async () => {
    const plan = await toyPlan(host, {});
    const [used = '', stale = ''] = plan.cgroups.directories;
    const child = spawn('sleep', ['60']);
    try {
      mkdirSync(used);
      mkdirSync(stale);
      writeFileSync(`${used}/cgroup.procs`, `${child.pid}`);
      const prefix = basename(host.folder);
      const cgroups = await probeCgroups();
      expect(await sweepCgroups(cgroups, { prefix, madeBefore: 0 })).toEqual([]);
      expect(await sweepCgroups(cgroups, { prefix, madeBefore: Number.MAX_SAFE_INTEGER })).toEqual([stale]);
      expect([existsSync(used), existsSync(stale)]).toEqual([true, false]);
    } finally {
      child.kill('SIGKILL');
      await once(child, 'exit');
      rmdirSync(used);
    }
  });

  it('is told what the host allows, and refuses other words', () => {
    const probe = execFileSync(host.cellPath, ['probe'], { encoding: 'utf8' });
    expect(probe).toMatch(/^mount-namespace yes$/m);
    expect(probe).toMatch(/^seccomp-listener yes$/m);
    expect(probe).toMatch(/^landlock \d+$/m);
    expect(spawnSync(host.cellPath, ['walk']).status).toBe(64);
    expect(spawnSync(host.cellPath, ['run'], { stdio: 'ignore' }).status).toBe(125);
  });

  it('says what a container lacks that has no /dev/null', () => {
    const words = ['-m', 'sh', '-c', 'mount -t tmpfs none /dev && exec "$0" run -c 1', host.cellPath];
    const ended = spawnSync('unshare', words, { encoding: 'utf8' });
    expect([ended.status, ended.stderr]).toEqual([
      125,
      'error[E_SANDBOX] `/dev/null`: cannot be opened (ENOENT)\n  hint: give the container its /dev\n',
    ]);
  });

  it('says it when the launcher is not there', async () => {
    const request = { cellPath: `${host.folder}/nothing` };
    await expect(runToy(host, { request })).rejects.toMatchObject({ code: 'E_SANDBOX' });
  });
});
