import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { execa } from 'execa';
import { beforeAll, describe, expect, it } from 'vitest';
import type { RunReport } from '../../src/run/run-report.ts';
import { COMMAND, pythonImage, rootcellar, sharedHome, workplace, type Ended } from '../support/command.ts';

const FIRST_UID = 1_900_000_000;

/** Processes of cells, mounts and control groups: what a run could leave behind on this host. */
function leftovers(): readonly string[] {
  const processes = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && ownerOf(name) >= FIRST_UID);
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => line.includes('rootcellar-cell'));
  const groups = execFileSync('find', ['/sys/fs/cgroup', '-type', 'd', '-name', 'rootcellar-*'], { encoding: 'utf8' });
  return [...processes.map((pid) => `process ${pid}`), ...mounts, ...groups.split('\n').filter(Boolean)];
}

function ownerOf(pid: string): number {
  try {
    return Number(/^Uid:\t(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

function reportOf({ stdout }: Ended): RunReport {
  return JSON.parse(stdout);
}

async function run(code: string, ...words: string[]): Promise<RunReport> {
  return reportOf(await rootcellar(['run', '--json', ...words, 'python', '-c', code]));
}

describe('promise 6: a run leaves nothing behind and tells the truth', () => {
  beforeAll(pythonImage);

  it('shows nothing of the host: files, processes, network, descriptors, name, privilege', async () => {
    const code = `
import os, json, socket
def tried(action):
    try: return repr(action())
    except OSError as error: return error.strerror
print(json.dumps({
  "files": [path for path in ["/etc/shadow", "/proc/1", "/sys/kernel", "/home/user", "/var/lib/rootcellar", "/dev/kmsg", "/dev/tty"] if os.path.exists(path)],
  "descriptors": sorted(fd for fd in range(1024) if tried(lambda: os.fstat(fd)) != "Bad file descriptor"),
  "pid": os.getpid(), "uid": os.getuid() >= ${FIRST_UID}, "groups": os.getgroups(), "environment": sorted(os.environ),
  "host": os.uname().nodename, "root": tried(lambda: os.mkdir("/x")), "passwd": tried(lambda: open("/etc/passwd", "w")),
  "socket": tried(socket.socket), "kill": tried(lambda: os.kill(1, 9)), "fork": tried(os.fork),
}))`;
    const report = await run(code);
    expect(report.status).toBe('ok');
    expect(JSON.parse(report.stdout ?? '')).toEqual({
      files: [],
      descriptors: [0, 1, 2],
      pid: 2,
      uid: true,
      groups: [],
      environment: ['HOME', 'LANG', 'OMP_NUM_THREADS', 'PATH'],
      host: 'cell',
      root: 'Read-only file system',
      passwd: 'Read-only file system',
      socket: 'Operation not permitted',
      kill: 'Operation not permitted',
      fork: 'Operation not permitted',
    });
    expect(report.denied.map(({ syscall }) => syscall).toSorted()).toEqual(['clone', 'socket']);
    expect(leftovers()).toEqual([]);
  });

  it('keeps nothing from one run to the next', async () => {
    const write = 'open("/tmp/secret", "w").write("x")';
    expect((await run(write)).status).toBe('ok');
    const look = await run('import os; print(os.listdir("/tmp"))');
    expect(look.stdout).toBe('[]\n');
  });

  it.each([
    ['time', 'wall=500ms', 'import time\nprint("begun", flush=True)\ntime.sleep(60)', 'timeout', 124],
    [
      'signals ignored',
      'wall=500ms',
      'import signal, time\n[signal.signal(s, signal.SIG_IGN) for s in (1, 2, 3, 15)]\ntime.sleep(60)',
      'timeout',
      124,
    ],
    ['processor time', 'cpu=300ms', 'while True: pass', 'cpu_limit', 124],
    ['memory', 'memory=64MiB', 'x = []\nwhile True: x.append(bytearray(2**20))', 'oom', 137],
    ['output', 'output=64KiB', 'while True: print("x" * 10000)', 'output_limit', 137],
    ['a crash', 'wall=10s', 'import ctypes; ctypes.string_at(0)', 'signal', 139],
    ['a limit’s signal that it sent itself', 'wall=10s', 'import os; os.kill(os.getpid(), 24)', 'signal', 152],
    ['its own status', 'wall=10s', 'raise SystemExit(7)', 'error', 7],
  ])('tells the truth about %s', async (_, limit, code, status, exit) => {
    const ended = await rootcellar(['run', '--json', '--limit', limit, 'python', '-c', code]);
    const report = reportOf(ended);
    expect(report).toMatchObject({ status, exit_code: status === 'error' ? exit : null });
    expect(ended.status).toBe(exit);
    expect(leftovers()).toEqual([]);
  });

  it('bounds processes, and says that they were', async () => {
    const code =
      'import threading, time\nfor n in range(100): threading.Thread(target=time.sleep, args=(5,), daemon=True).start()';
    const report = await run(code, '--limit', 'processes=8');
    expect(report.status).toBe('error');
    expect(report.stderr).toContain("can't start new thread");
    expect(report.events).toContainEqual({ kind: 'pids_max', count: expect.any(Number) });
    expect(report.processes_peak).toBeLessThanOrEqual(8);
  });

  it('contains a full /tmp', async () => {
    const report = await run('f = open("/tmp/x", "wb")\nwhile True: f.write(bytes(2**20))', '--limit', 'tmp=4MiB');
    expect(report.stderr).toMatch(/No space left on device|File too large/);
    expect(report).toMatchObject({ status: 'disk_limit', exit_code: 1, events: [{ kind: 'disk_full' }] });
  });

  it('keeps output exactly: what was written before the end, and bytes that are no text', async () => {
    const report = await run('import os; os.write(1, bytes([0, 255, 10])); os.write(2, b"later"); os._exit(3)');
    expect(report).toMatchObject({ status: 'error', exit_code: 3, encoding: 'base64' });
    expect([...Buffer.from(report.stdout ?? '', 'base64')]).toEqual([0, 255, 10]);
  });

  it('believes no report that the program prints', async () => {
    const report = await run(
      'import os\nprint(\'{"status":"ok"}\')\nfor fd in range(3, 20):\n  try: os.write(fd, b"end exited 0\\ndone\\n")\n  except OSError: pass\nos._exit(9)',
    );
    expect(report).toMatchObject({ status: 'error', exit_code: 9 });
  });

  it('passes stdin, arguments and the exit status on', async () => {
    await using work = await workplace();
    await work.write({ 'echo.py': 'import sys\nprint(sys.argv[1:], sys.stdin.read().upper())\nsys.exit(5)\n' });
    const ended = await rootcellar(['run', 'python', '--', work.path('echo.py'), 'a b', '--flag'], { input: 'héllo' });
    expect(ended).toEqual({ status: 5, stdout: "['a b', '--flag'] HÉLLO\n", stderr: '' });
    const piped = await rootcellar(['run', 'python', '-'], { input: 'print(2 ** 10)' });
    expect(piped).toEqual({ status: 0, stdout: '1024\n', stderr: '' });
  });

  it('passes signals on', async () => {
    const code =
      'import signal, sys, time\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(44))\nprint("ready", flush=True)\nwhile True: time.sleep(0.01)';
    const child = execa(process.execPath, [COMMAND, 'run', 'python', '-c', code], {
      env: { ROOTCELLAR_HOME: sharedHome() },
      reject: false,
      stdin: 'ignore',
    });
    await new Promise((resolve) => child.stdout.once('data', resolve));
    child.kill('SIGTERM');
    expect((await child).exitCode).toBe(44);
  });

  it('dies with its caller', async () => {
    const code = 'import time\nprint("ready", flush=True)\ntime.sleep(60)';
    const child = execa(process.execPath, [COMMAND, 'run', 'python', '-c', code], {
      env: { ROOTCELLAR_HOME: sharedHome() },
      reject: false,
      stdin: 'ignore',
    });
    await new Promise((resolve) => child.stdout.once('data', resolve));
    child.kill('SIGKILL');
    await child;
    await expect.poll(leftovers, { timeout: 10_000 }).toEqual([]);
  });

  it('measures memory itself where no control group can, and says so', async () => {
    // In a mount namespace of its own, the control groups are hidden.
    const hidden = ['unshare', '--mount', 'sh', '-c', 'umount -R -l /sys/fs/cgroup && exec "$@"', 'sh'];
    const hog = 'x = []\nwhile True: x.append(bytearray(2**20))';
    const { stdout } = await rootcellar(['run', 'python', '--json', '-c', hog], { through: hidden });
    expect(JSON.parse(stdout)).toMatchObject({
      status: 'oom',
      memory: { enforced_by: 'watchdog' },
      isolation: { tier: 'A', missing: ['cgroup-limits'] },
    });
  });

  it('never runs with less than its least tier', async () => {
    // Without capabilities root has none of the namespaces of tier A.
    const weak = ['setpriv', '--bounding-set', '-all', '--inh-caps', '-all'];
    const refused = await rootcellar(['run', 'python', '--minimum-tier', 'A', '-c', 'print("ran")'], { through: weak });
    expect(refused).toMatchObject({ status: 125, stdout: '' });
    expect(refused.stderr).toMatch(/^error\[E_SANDBOX\] a cell: here it is of tier [BCD], and `minimum_tier` is A/);
  });

  it('leaves the image as it was', async () => {
    const verified = await rootcellar(['verify', 'python']);
    expect(verified).toMatchObject({ status: 0 });
    expect(verified.stdout).toContain('every byte is as promised');
  });
});
