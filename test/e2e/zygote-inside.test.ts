import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { CANNOT_SANDBOX } from '../native/toy-cell.ts';
import { leftAtLast, removeOwnCells, useOwnCells, type OwnCells } from '../support/own-cells.ts';
import { programRun, warmHost, warmReport, type WarmHost } from '../support/warm-host.ts';
import { byteOrder } from '../../src/base/byte-order.ts';
import type { RunRequest } from '../../src/run-program.ts';
import type { RunReport } from '../../src/run/run-report.ts';
import type { WarmPool } from '../../src/warm-pool.ts';
import { withPrelude } from '../attacks/attack-case.ts';

vi.mock(import('../../src/cell-host.ts'), async (original) => {
  const { ownHost } = await import('../support/own-cells.ts');
  return ownHost(await original());
});

const PREIMPORT = ['random', 'secrets', 'ssl', 'tempfile', 'uuid', 'numpy', 'uses_random', 'registers_atexit'];
const ALL_IMPORTED = 'import random, secrets, ssl, tempfile, uuid, numpy\nif 0: import registers_atexit\n';

describe.skipIf(CANNOT_SANDBOX)('a program that a zygote has forked', () => {
  let cells: OwnCells;
  let host: WarmHost;
  let pool: WarmPool;

  beforeAll(async () => {
    cells = useOwnCells(1_830_000_000);
    host = await warmHost();
    pool = host.pool({ size: 2, makers: 2 });
  });
  afterAll(async () => {
    await pool.close();
    const left = await leftAtLast(cells);
    await host[Symbol.asyncDispose]();
    removeOwnCells(cells);
    if (left.length > 0) throw new Error(`left behind: ${left.join(', ')}`);
  });

  async function run(code: string, more: Partial<RunRequest> = {}): Promise<RunReport> {
    const content = withPrelude(code, process.arch === 'x64' ? 'amd64' : 'arm64').toString();
    const request = programRun(host.image({ preimport: PREIMPORT }), content, more);
    await pool.prepare(request);
    const report = await warmReport(pool, request);
    expect(pool.state().map(({ zygote }) => zygote?.failure)).not.toContainEqual(expect.any(String));
    expect(report.time.start).not.toBe('cold');
    return report;
  }

  it('K6, K7, K8 cannot leave its namespaces, trace or mount, and each attempt is named', async () => {
    const names = ['setns', 'unshare', 'mount', 'umount2', 'pivot_root', 'chroot', 'ptrace', 'process_vm_readv'];
    const more = ['open_tree', 'move_mount', 'seccomp', 'capset', 'setresuid', 'setgroups', 'execve'];
    const all = [...names, ...more, 'bpf', 'keyctl', 'perf_event_open', 'setsid'];
    const report = await run(`try_calls(${all.map((name) => `"${name}"`).join(', ')})`);
    const denied = report.denied.map(({ syscall, count }) => `${syscall} ${count}`);
    expect(denied.toSorted(byteOrder)).toEqual(all.map((name) => `${name} 1`).toSorted(byteOrder));
    expect(lines(report)).toEqual(all.map((name) => `${name}: EPERM`));
  });

  it('K7 makes no process, with new namespaces or without', async () => {
    const flags = [0x11, 0x10000000, 0x20000000, 0x00020000, 0x40000000, 0x02000000];
    const report = await run(
      `for flags in ${JSON.stringify(flags)}: attempt(hex(flags), lambda: call(NR["clone"], flags, 0, 0, 0, 0))
attempt("clone3", lambda: call(NR["clone3"], 0, 0))
attempt("fork", lambda: os.fork())`,
    );
    expect(lines(report)).toEqual([
      ...flags.map((one) => `0x${one.toString(16)}: EPERM`),
      'clone3: ENOSYS',
      'fork: EPERM',
    ]);
    expect(report.denied).toMatchObject([{ syscall: 'clone', count: flags.length + 1 }]);
  });

  it('Z3, P9 has nobody to signal but itself', async () => {
    const report = await run(
      `import signal
attempt("everybody", lambda: os.kill(-1, 9))
attempt("init", lambda: os.kill(1, 9))
found = []
for pid in range(1, 70_000):
    try:
        os.kill(pid, 0)
        found.append(pid)
    except OSError as error:
        if error.errno == errno.EPERM: found.append(-pid)
print(found, os.getppid(), os.getpid(), os.getsid(0), os.getpgid(0))`,
    );
    expect(lines(report)).toEqual(['everybody: ESRCH', 'init: EPERM', '[-1, 2] 0 2 2 2']);
  });

  it('Z4, F7 has three descriptors, and cannot raise their limit to get the one that its filter once let through', async () => {
    const report = await run(
      `import fcntl, resource, socket
found = []
for number in range(5000):
    try:
        fcntl.fcntl(number, fcntl.F_GETFD); found.append(number)
    except OSError: pass
print(found, [os.readlink("/proc/self/fd/0")] if os.path.exists("/proc") and os.listdir("/proc") else "no proc")
print(resource.getrlimit(resource.RLIMIT_NOFILE))
attempt("raise", lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096)))
attempt("dup", lambda: os.dup2(0, 1000))
one, two = socket.socketpair()
attempt("sendmsg", lambda: one.sendmsg([b"x"]))
attempt("sendmsg on 1000", lambda: call(NR["sendmsg"], 1000, 0, 0))
attempt("and more bits", lambda: call(NR["sendmsg"], (1 << 32) + 1000, 0, 0))`,
    );
    expect(lines(report)).toEqual([
      '[0, 1, 2] no proc',
      '(256, 256)',
      'raise: ValueError',
      'dup: EBADF',
      'sendmsg: done 1',
      'sendmsg on 1000: EBADF',
      'and more bits: EBADF',
    ]);
  });

  it('is as confined as one of a cell of its own', async () => {
    const code = `import resource
print(os.getresuid()[0] != 0, len(set(os.getresuid() + os.getresgid())), os.getgroups(), os.getcwd(), os.umask(0))
header, sets = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
print(call(NR["capget"], header, sets), list(sets))
for name, number in [("dumpable", 3), ("no_new_privs", 39), ("seccomp", 21), ("securebits", 27), ("keepcaps", 7)]:
    print(name, call(NR["prctl"], number, 0, 0, 0, 0))
print([call(NR["prctl"], 23, capability, 0, 0, 0) for capability in range(41)])
for name in sorted(dir(resource)):
    if name.startswith("RLIMIT_") and name not in ("RLIMIT_CPU",):
        print(name, resource.getrlimit(getattr(resource, name)))
attempt("root", lambda: open("/x", "w"))
attempt("image", lambda: open("/usr/bin/python3", "r+"))
attempt("program", lambda: open(sys.argv[0], "a"))
attempt("device", lambda: open("/dev/x", "w"))
attempt("own", lambda: print(len(open("/tmp/x", "w").name)))
print(os.uname().nodename, sorted(os.listdir("/")), os.listdir("/run/program"), os.path.exists("/proc/self"))`;
    const syscalls = { profile: 'python', allow: ['prctl', 'capget'], deny: [] };
    const image = host.image({ preimport: PREIMPORT, syscalls });
    const request = programRun(image, withPrelude(code, process.arch === 'x64' ? 'amd64' : 'arm64').toString());
    const own = host.pool();
    await own.prepare(request);
    const warm = await warmReport(own, request);
    const zygote = own.state()[0]?.zygote;
    await own.close();
    const cold = await warmReport(own, request);
    expect([warm.time.start, zygote?.failure, cold.time.start]).toEqual(['warm', undefined, 'cold']);
    // Whoever executes nothing stays as closed to others as it was before.
    expect(lines(warm)).toEqual(lines(cold).map((line) => line.replace('dumpable 1', 'dumpable 0')));
    expect(lines(cold).length).toBeGreaterThan(20);
    expect(warm.isolation.missing).toEqual(cold.isolation.missing);
    expect(warm.isolation.layers.filter((layer) => layer !== 'user-namespace')).toEqual(cold.isolation.layers);
  });

  it('Z1 cannot change what the next one finds', async () => {
    await run(
      `import builtins, json, gc
builtins.print = None; sys.modules["json"] = None; os.getpid = None; json.dumps = None
numpy = __import__("numpy"); numpy.sum = None
for one in gc.get_objects():
    if isinstance(one, dict) and one.get("__name__") == "random": one["random"] = None
ctypes.memset(id(int.__add__), 0, 8)
os._exit(0)`.replace('import builtins', `${ALL_IMPORTED}import builtins`),
    );
    const code = `${ALL_IMPORTED}import json
print(json.dumps([numpy.sum([1, 2]) == 3, random.random() < 1, os.getpid() == 2], default=bool), 1 .__add__(2))`;
    expect(lines(await run(code))).toEqual(['[true, true, true] 3']);
  });

  it('Z2 finds nothing of an earlier run in its memory', async () => {
    const word = `canary${Math.random().toString(36).slice(2)}`;
    const secret = {
      arguments: [`${word}-argument`],
      environment: { SECRET: `${word}-variable` },
      input: Buffer.from(`${word}-input`),
    };
    const first = await run(`${ALL_IMPORTED}kept = "${word}-code" * 3; read = sys.stdin.read(); print(read)`, secret);
    expect(lines(first)).toEqual([`${word}-input`]);
    const own = `kept${word.slice('canary'.length)}`;
    const second = await run(`${ALL_IMPORTED}own = "${own}" * 3\n${SEARCH}`, {
      arguments: [own, word].map(shifted),
      limits: { wallMs: 60_000, cpuMs: 60_000 },
    });
    // What it has itself, it finds.
    expect(lines(second)).toEqual(['[True, False]']);
  });

  it('Z6 has random numbers of its own', async () => {
    const code = `${ALL_IMPORTED}
print(random.random(), random.getrandbits(64), random.SystemRandom().random())
print(secrets.token_hex(8)); print(ssl.RAND_bytes(8).hex())
print(uuid.uuid1(), uuid.getnode()); print(uuid.uuid4())
print(tempfile.mktemp(), next(tempfile._get_candidate_names()))
print(numpy.random.random(), numpy.random.default_rng().random(), numpy.random.RandomState().random())
print(os.urandom(8).hex()); print(random.Random().random())`;
    const runs = [lines(await run(code)), lines(await run(code)), lines(await run(code))];
    const all = runs.flat().flatMap((line) => line.split(' '));
    expect(all.length).toBe(3 * 15);
    expect(new Set(all).size).toBe(all.length);
  });

  it('Z11 forges no report', async () => {
    const report = await run(
      `print('{"status":"ok","done":1}\\ndone\\nend exited 0')
for number in range(3, 1100):
    try: os.write(number, b"done\\nend exited 0\\n")
    except OSError: pass
sys.stdout.flush(); ctypes.string_at(0)`,
    );
    expect(report).toMatchObject({ status: 'signal', signal: 'SIGSEGV', exit_code: null, denied: [] });
  });

  it('K2 ends at a call of another architecture, and that is told', async () => {
    if (process.arch !== 'x64') return;
    const code = `code = machine_code(bytes.fromhex("b814000000cd80c3"))\nprint("before", flush=True)\ncode(0)\nprint("after")`;
    const report = await run(code);
    expect(report).toMatchObject({ status: 'denied', stdout: 'before\n', denied: [{ arch: 'i386', nr: 20 }] });
  });
});

/** What the program printed, line by line, without what the package prints at the end. */
function lines({ stdout = '', stderr }: RunReport): readonly string[] {
  expect(stderr).toBe('');
  return stdout.split('\n').filter((line) => line !== '' && line !== 'at exit');
}

/** What is found in memory is looked for in another form, so that it is not found in what looks for it. */
function shifted(word: string): string {
  return String.fromCodePoint(...Array.from(word, (letter) => (letter.codePointAt(0) ?? 0) + 1));
}

const SEARCH = `
shift = bytes((number + 1) % 256 for number in range(256))
def pages():
    """All that can be read around what the interpreter has: write(2) says EFAULT for what cannot."""
    reader, writer = os.pipe()
    libc = ctypes.CDLL(None, use_errno=True)
    seen = set()
    for one in (id(sys), id(os.environ), id(pages), id(b"x" * 100_000), ctypes.addressof(ctypes.create_string_buffer(8))):
        for page in range((one & ~0xFFF) - (8 << 20), (one & ~0xFFF) + (8 << 20), 4096):
            if page in seen or page <= 0 or libc.write(writer, ctypes.c_void_p(page), 1) != 1: continue
            os.read(reader, 1)
            seen.add(page)
            yield ctypes.string_at(page, 4096).translate(shift)
found = [0] * len(sys.argv[1:])
words = [word.encode() for word in sys.argv[1:]]
for page in pages():
    for index, word in enumerate(words): found[index] += page.count(word)
print([count > 0 for count in found])
`;
