import { expect } from 'vitest';
import type { RunReport } from '../../src/run/run-report.ts';
import type { KernelCase } from './kernel-case.ts';

/** A program of this folder's own, and what must come of it. */
export interface OwnCase extends Omit<KernelCase, 'program'> {
  readonly code: string;
  readonly check: (report: RunReport) => void;
}

const MIB = 1024 ** 2;

function expectPrinted(text: string): (report: RunReport) => void {
  return (report) => expect(report).toMatchObject({ status: 'ok', stdout: text, stderr: '', events: [], denied: [] });
}

/** What everybody does, and each limit of the control groups of version 2, which hosts with version 1 cannot test. */
export const OWN_CASES: readonly OwnCase[] = [
  { name: 'own-print', what: 'prints', code: 'print(6 * 7)', check: expectPrinted('42\n') },
  {
    name: 'own-threads',
    what: 'computes in threads',
    code: `
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(8) as pool: print(sum(pool.map(lambda n: n * n, range(100))))`,
    check: expectPrinted('328350\n'),
  },
  {
    name: 'own-asyncio',
    what: 'waits in asyncio',
    code: `
import asyncio
async def main(): print(await asyncio.gather(*(asyncio.sleep(0.01, n) for n in range(3))))
asyncio.run(main())`,
    check: expectPrinted('[0, 1, 2]\n'),
  },
  {
    name: 'own-tempfile',
    what: 'writes a temporary file',
    code: `
import os, tempfile
with tempfile.NamedTemporaryFile("w+") as file:
    file.write("text"); file.seek(0); print(file.read(), os.path.dirname(file.name))
print(os.listdir("/tmp"), sorted(os.listdir("/")) == sorted(set(os.listdir("/"))))`,
    check: expectPrinted('text /tmp\n[] True\n'),
  },
  {
    name: 'own-sqlite',
    what: 'keeps a database in /tmp',
    code: `
import sqlite3
base = sqlite3.connect("/tmp/base"); base.execute("create table t (n int)")
with base: base.executemany("insert into t values (?)", ((n,) for n in range(50)))
print(base.execute("select sum(n) from t").fetchone())`,
    check: expectPrinted('(1225,)\n'),
  },
  {
    name: 'own-modules',
    what: 'imports much of the standard library',
    code: 'import json, ssl, hashlib, decimal, zlib, ctypes, socket\nprint(hashlib.sha256(b"").hexdigest()[:8], json.dumps([1]))',
    check: expectPrinted('e3b0c442 [1]\n'),
  },
  {
    name: 'own-input',
    what: 'reads its input to the end',
    code: 'import sys\nprint(len(sys.stdin.buffer.read()))',
    input: Buffer.alloc(300_000, 'x'),
    check: expectPrinted('300000\n'),
  },
  {
    name: 'own-status',
    what: 'ends with a status',
    code: 'raise SystemExit(3)',
    check: (report) => expect(report).toMatchObject({ status: 'error', exit_code: 3, signal: null, events: [] }),
  },
  {
    name: 'own-denied',
    what: 'makes a call that is denied, and named',
    code: `
import ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)
print(libc.unshare(0x10000000), errno.errorcode[ctypes.get_errno()])`,
    check: (report) => {
      expect(report).toMatchObject({ status: 'ok', stdout: '-1 EPERM\n' });
      expect(report.denied).toMatchObject([{ syscall: 'unshare', count: 1 }]);
    },
  },
  {
    name: 'own-subprocess',
    what: 'has a process of its own do the work',
    profile: 'python-subprocess',
    code: 'import subprocess, sys\nprint(subprocess.run([sys.executable, "-IBc", "print(7)"], capture_output=True).stdout)',
    check: expectPrinted("b'7\\n'\n"),
  },
  {
    name: 'two-memory',
    what: 'takes more memory than memory.max',
    limits: ['memory=48MiB'],
    code: 'kept = []\nwhile True: kept.append(bytearray(1 << 20))',
    check: (report) => {
      expect(report).toMatchObject({ status: 'oom', memory: { enforced_by: 'cgroup' } });
      expect(report.events.map(({ kind }) => kind)).toEqual(['oom_kill']);
      // memory.peak is of Linux 5.19.
      expect(report.memory.peak_bytes).toBeGreaterThan(40 * MIB);
      expect(report.memory.peak_bytes).toBeLessThanOrEqual(48 * MIB);
    },
  },
  {
    name: 'two-memory-child',
    what: 'has a child take more memory than memory.max, and outlive it',
    profile: 'python-subprocess',
    limits: ['memory=64MiB'],
    code: `
import os, time
if os.fork() == 0:
    kept = []
    while True: kept.append(bytearray(1 << 20))
time.sleep(600)`,
    check: (report) => expect(report.status).toBe('oom'),
  },
  {
    name: 'two-processes',
    what: 'forks up to pids.max',
    profile: 'python-subprocess',
    limits: ['processes=8'],
    code: `
import os, time, errno
made = 0
try:
    while True:
        if os.fork() == 0: time.sleep(600)
        made += 1
except OSError as error: print(made, errno.errorcode[error.errno])`,
    check: (report) => {
      expect(report).toMatchObject({ status: 'ok', stdout: '7 EAGAIN\n' });
      expect(report.events).toEqual([
        { kind: 'pids_max', count: 1 },
        { kind: 'killed_descendants', count: 7 },
      ]);
    },
  },
  {
    name: 'two-cpu',
    what: 'computes for longer than it may, in four processes, by cpu.stat',
    profile: 'python-subprocess',
    limits: ['cpu=600ms', 'wall=60s'],
    code: 'import os\nfor _ in range(2): os.fork()\nwhile True: pass',
    check: (report) => {
      expect(report.status).toBe('cpu_limit');
      expect(report.time.cpu_ms).toBeGreaterThanOrEqual(600);
      expect(report.time.cpu_ms).toBeLessThan(report.limits.cpuMs + 2000);
    },
  },
  {
    name: 'two-wall',
    what: 'sleeps for longer than it may',
    limits: ['wall=700ms'],
    code: 'import time\ntime.sleep(600)',
    check: (report) => expect(report).toMatchObject({ status: 'timeout', events: [{ kind: 'wall' }] }),
  },
];
