import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { syscallNumber } from '../../src/run/syscall-tables.ts';
import { pythonImage, rootcellar } from '../support/command.ts';
import {
  callShim,
  compileCaller,
  makeShimHost,
  removeShimHost,
  runConfined,
  SHIM_PROGRAMS,
  without,
  type ShimHost,
  type ShimRun,
} from './shim-host.ts';
import { CANNOT_SANDBOX } from './toy-cell.ts';

const ARCHITECTURE = process.arch === 'x64' ? 'amd64' : 'arm64';
const numbers = (...names: readonly string[]): string =>
  names.map((name) => syscallNumber(ARCHITECTURE, name) ?? name).join(',');

/** What the guest tries, each line by its own. */
const PROBES = `
import ctypes, errno, os
def attempt(name, action):
    try:
        action()
        print(name, 'done')
    except OSError as error:
        print(name, errno.errorcode[error.errno])
import socket
print(os.getcwd(), os.listdir('/'), os.getresuid(), os.getresgid(), os.getgroups())
attempt('socket', lambda: socket.socket())
attempt('unix', lambda: socket.socket(socket.AF_UNIX))
attempt('setuid', lambda: os.setuid(0))
attempt('chroot', lambda: os.chroot('/'))
attempt('exec', lambda: os.execv('/bin/true', ['true']))
attempt('signal itself', lambda: os.kill(os.getpid(), 0))
attempt('signal another', lambda: os.kill(os.getppid(), 0))
attempt('signal all', lambda: os.kill(-1, 0))
class Header(ctypes.Structure): _fields_ = [('version', ctypes.c_uint32), ('pid', ctypes.c_int)]
sets = (ctypes.c_uint32 * 6)()
libc.capget(ctypes.byref(Header(0x20080522, 0)), sets)
print('capabilities', sum(sets))
print('no_new_privs', libc.prctl(39, 0, 0, 0, 0), 'dumpable', libc.prctl(3, 0, 0, 0, 0))
`;
/** The root is empty: libraries and modules have to be there before, and two calls allowed for looking. */
const BEFORE = `import errno, socket; libc = ctypes.CDLL(None)`;
const OPENED = numbers('capget', 'prctl');

/** Threads exist, and changing users would leave them their capabilities. */
const KEEPING = `
import ctypes, threading, time
threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
ctypes.CDLL(None).prctl(28, 1 << 4, 0, 0, 0)`;

function confinement(network: boolean): string {
  return `/ [] (10001, 10001, 10001) (65537, 65537, 65537) []
socket ${network ? 'done' : 'EPERM'}
unix ${network ? 'EAFNOSUPPORT' : 'EPERM'}
setuid EPERM
chroot EPERM
exec EPERM
signal itself done
signal another EPERM
signal all EPERM
capabilities 0
no_new_privs 1 dumpable 0
`;
}

describe.skipIf(CANNOT_SANDBOX)('DifySeccomp()', () => {
  let host: ShimHost;
  beforeAll(() => {
    host = makeShimHost();
  });
  afterAll(() => removeShimHost(host));

  const run = (code: string, request: ShimRun = {}): ReturnType<typeof runConfined> =>
    runConfined(host, code, { preload: BEFORE, ...request });

  it.each([false, true])('confines the script that called it, network %s', (network) => {
    const ended = run(PROBES, { network, allowed: OPENED });
    expect(ended).toEqual({ status: 0, signal: null, stdout: confinement(network), stderr: '' });
  });

  it('confines in an image of Debian 13', async () => {
    await pythonImage();
    const [tar, image] = [join(host.folder, 'image.tar'), join(host.folder, 'image')];
    const built = await rootcellar(['build', join(inject('e2eFolder'), 'python'), '-o', tar]);
    expect(built.status).toBe(0);
    mkdirSync(image);
    execFileSync('tar', ['-xf', tar, '-C', image]);
    const ended = run(PROBES, { image, allowed: OPENED });
    expect(ended).toEqual({ status: 0, signal: null, stdout: confinement(false), stderr: '' });
  });

  it('lets numbers of ALLOWED_SYSCALLS through, and passes over what is none', () => {
    const code = `
for number in ${numbers('ptrace', 'bpf')}, 1023:
    ctypes.set_errno(0)
    print(libc.syscall(number, -1, 0, 0, 0), errno.errorcode[ctypes.get_errno()])`;
    const preload = `import errno; libc = ctypes.CDLL(None, use_errno=True)`;
    const denied = '-1 EPERM\n-1 EPERM\n-1 ENOSYS\n';
    for (const allowed of ['', ',,', `-${numbers('ptrace')}`, `${numbers('ptrace')}x`, '99999999999999999999', 'all']) {
      expect(run(code, { preload, allowed }).stdout).toBe(denied);
    }
    const one = run(code, { preload, allowed: `x, ${numbers('ptrace')} ,1024,` });
    expect(one.stdout).toMatch(/^-1 (?!EPERM)\w+\n-1 EPERM\n-1 ENOSYS\n$/);
  });

  it('allows every number at once', () => {
    const every = Array.from({ length: 2000 }, (_, number) => number).join(',');
    expect(run('print(int(socket.socket(socket.AF_UNIX).family))', { allowed: every }).stdout).toBe('1\n');
  });

  it('confines the threads that were there before', () => {
    const preload = `
import errno, socket, threading, time
ready, start, found = threading.Event(), threading.Event(), []
def other():
    ready.set()
    start.wait()
    found.append(os.getresuid())
    try: socket.socket()
    except OSError as error: found.append(errno.errorcode[error.errno])
    try: os.seteuid(0)
    except OSError as error: found.append(errno.errorcode[error.errno])
thread = threading.Thread(target=other)
thread.start()
ready.wait()
ctypes.CDLL('libgcc_s.so.1')`;
    const ended = run(`start.set(); thread.join(); print(found)`, { preload });
    expect(ended).toMatchObject({ status: 0, stdout: "[(10001, 10001, 10001), 'EPERM', 'EPERM']\n", stderr: '' });
  });

  it('closes folders of the host, and keeps files', () => {
    const preload = `
import errno
folder, high = os.open('/', os.O_RDONLY), os.dup2(os.open('/', os.O_PATH), 900)
file = os.open('/etc/hostname', os.O_RDONLY)`;
    const code = `
for descriptor in (folder, high):
    try: print(os.listdir(descriptor))
    except OSError as error: print(errno.errorcode[error.errno])
print(os.fstat(file).st_size > 0)`;
    expect(run(code, { preload }).stdout).toBe('EBADF\nEBADF\nTrue\n');
  });

  it.each([
    ['user 0', { uid: 0 }, 'identity: errno 22'],
    ['the user that stands for no change', { uid: 0xffff_ffff }, 'identity: errno 22'],
    ['the group that stands for no change', { gid: 0xffff_ffff }, 'identity: errno 22'],
    ['no privileges', { startUid: 12_345 }, 'chroot: errno 1'],
    ['chroot, and no right to change users', { through: without('setuid') }, 'identity: errno 1'],
    ['no right to change groups', { through: without('setgid') }, 'identity: errno 1'],
    ['threads, and user functions that do not clear capabilities', { preload: KEEPING }, 'threads: errno 16'],
  ] as const)('ends the process before any of the guest runs: %s', (_, request, fault) => {
    const ended = run(`print('guest')`, request);
    expect(ended).toEqual({ status: 125, signal: null, stdout: '', stderr: `DifySeccomp: ${fault}\n` });
  });

  it('confines without the right to lock capabilities, as containers have it', () => {
    const ended = run(PROBES, { allowed: OPENED, through: without('setpcap') });
    expect(ended).toMatchObject({ status: 0, stdout: confinement(false), stderr: '' });
  });

  it('ends the process when the guest calls it again', () => {
    const ended = run(`shim.DifySeccomp(10002, 65537, True); print('again')`);
    expect(ended).toMatchObject({ status: 125, stdout: '' });
  });

  it('confines 300 processes without one that fails', () => {
    const words = [join(SHIM_PROGRAMS, 'shim-forks.py'), host.shims.own, host.root, '300'];
    expect(execFileSync('/usr/bin/python3', words, { encoding: 'utf8', timeout: 120_000 })).toBe('0:300\n');
  });

  it('loads into programs of musl', (context) => {
    if (spawnSync('musl-gcc', ['--version']).status !== 0) {
      console.warn('NOT TESTED: no musl-gcc here');
      if (process.env['SANDBOX_MUST_WORK'] !== '1') context.skip();
    }
    const program = compileCaller(host, 'musl-gcc', []);
    const confined = `result 0, uid 10001, gid 65537, host hidden, socket`;
    expect(callShim([program, host.shims.own], host, '10001')).toBe(`${confined} denied\n`);
    const allowed = { ALLOWED_SYSCALLS: numbers('socket') };
    expect(callShim([program, host.shims.own], host, '10001', allowed)).toBe(`${confined} made\n`);
  });

  it('loads on arm64, and fails closed where an emulator has no seccomp', (context) => {
    if (!existsSync(host.shims.arm64) || spawnSync('qemu-aarch64', ['--version']).status !== 0) {
      console.warn('NOT TESTED: no compiler for arm64, or no qemu-user');
      if (process.env['SANDBOX_MUST_WORK'] !== '1') context.skip();
    }
    const program = compileCaller(host, 'aarch64-linux-gnu-gcc', ['-ldl']);
    const words = ['qemu-aarch64', '-L', '/usr/aarch64-linux-gnu', program, host.shims.arm64];
    expect(callShim(words, host, '10001')).toMatch(/^DifySeccomp: seccomp: errno \d+\n$/);
    expect(callShim(words, host, '0')).toBe('DifySeccomp: identity: errno 22\n');
  });
});
