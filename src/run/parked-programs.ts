import type { ProgramFile } from './launch-plan.ts';

/** Where neither Python nor Node.js would take it for a module, and no program has a file. */
const NAME = '.parked';

/**
 * What a parked Python does: imports the modules that its arguments name, goes once through what every program goes through,
 * says that it is ready, and becomes the program that it is sent the words of (native/park.h). That is run by the function of
 * CPython that runs `python FILE`, so that errors of syntax, tracebacks, hooks and SystemExit are what they always are; source:
 * Python/pythonrun.c. At the end, what would be seen outside is done in the interpreter's order (Py_FinalizeEx): threads are
 * waited for, atexit, streams, what the main module alone holds, C's own buffers. The rest is left to the end of the process.
 * Where anything is out of the ordinary, such as a stream that cannot be written, the interpreter ends by itself.
 *
 * What a program can see of it: one frame below its own, modules that are loaded already, processor time that was used before
 * its start, and the source line of an error in a `__del__` at the end. What modules, and not the program, hold is not deleted.
 */
const PYTHON_PARTS = `
import atexit, builtins, ctypes, gc, os, sys, time

# What packages and the program replace is neither what makes it ready nor what ends it.
exit_now, collect, execute, compiled = os._exit, gc.collect, exec, compile
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
libc.fopen.argtypes = [ctypes.c_char_p, ctypes.c_char_p]
run_file = ctypes.pythonapi.PyRun_SimpleFileExFlags
run_file.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_void_p]

def prepare(modules):
    import importlib, linecache, traceback
    try:
        execute(compiled('def f(x):\\n    raise ValueError(x)\\nf(1)', '<warm>', 'exec'), {})
    except ValueError as error:
        ''.join(traceback.format_exception(type(error), error, error.__traceback__))
    for name in modules:
        importlib.import_module(name)
    linecache.clearcache()
    # What they have printed is no program's.
    flush(sys.stdout, sys.stderr)
    libc.fflush(None)
    # What is there now stays, and need not be looked at when the program's own is collected.
    gc.collect()
    gc.freeze()

def await_job():
    os.write(7, b'.')
    job = b''.join(iter(lambda: os.read(7, 131072), b''))
    os.close(7)
    if not job:
        os._exit(0)
    counts = [int.from_bytes(job[at:at + 4], sys.byteorder) for at in (0, 4)]
    words = [os.fsdecode(word) for word in job[8:].split(b'\\0')[:-1]]
    return words[:counts[0]], words[counts[0]:]

def take_words(words):
    if hasattr(sys, 'orig_argv'):
        sys.orig_argv[:] = words
    sys.argv[:] = words[3:]

def take_variables(variables):
    own = dict(variable.split('=', 1) for variable in variables)
    for name in [name for name in os.environ if name not in own]:
        del os.environ[name]
    for name, value in own.items():
        if os.environ.get(name) != value:
            os.environ[name] = value
    if 'TZ' in own:
        time.tzset()

def rehearse():
    # What every program makes the interpreter do for the first time costs it half of a short run.
    name = os.fsencode(os.devnull)
    make_main()
    run_file(libc.fopen(name, b'rb'), name, 1, None)
    execute(compiled('import sys\\nprint(end="", flush=True)', '<warm>', 'exec', dont_inherit=True), {})
    take_variables([name + '=' + value for name, value in os.environ.items()])
    del sys.modules['__main__']
    collect()

def make_main():
    main = type(sys)('__main__')
    main.__builtins__ = builtins
    sys.modules['__main__'] = main

def flush(*streams):
    for stream in streams:
        if stream is not None and not stream.closed:
            stream.flush()

def leave(status):
    threading = sys.modules.get('threading')
    if threading is not None:
        threading._shutdown()
    atexit._run_exitfuncs()
    flush(sys.stdout, sys.stderr)
    sys.stdin, sys.stdout, sys.stderr = sys.__stdin__, sys.__stdout__, sys.__stderr__
    sys.last_exc = sys.last_type = sys.last_value = sys.last_traceback = None
    del sys.modules['__main__']
    collect()
    flush(sys.stdout, sys.stderr)
    libc.fflush(None)
    exit_now(status)

`;

const BECOME_PROGRAM = `
words, variables = await_job()
take_words(words)
take_variables(variables)
make_main()
status = -run_file(libc.fopen(os.fsencode(sys.argv[0]), b'rb'), os.fsencode(sys.argv[0]), 1, None)
# After a KeyboardInterrupt the interpreter itself ends by SIGINT.
if status == 0 or getattr(sys, 'last_type', None) is not KeyboardInterrupt:
    try:
        leave(status)
    except BaseException:
        raise SystemExit(status)
`;

const PYTHON = `${PYTHON_PARTS}
prepare(sys.argv[1:])
rehearse()
${BECOME_PROGRAM}`;

/**
 * What a zygote does: the same until it is ready, and then, for each request of a berth's keeper (native/berth.h), it forks a
 * child that enters the berth's namespaces and forks the program. That gives up everything, mixes new randomness into what
 * the zygote had, loads its filter, hands over the listener, and waits for its job like any parked program.
 * The numbers of seccomp(2) and landlock_restrict_self(2) are from the kernel's syscall tables.
 */
const ZYGOTE = `${PYTHON_PARTS}
import array, resource, socket, struct

def enter(libc, request, fds):
    uid, files, processes, cpu_soft, cpu_hard, has_own_user, has_ruleset, count = struct.unpack('=8I', request)
    spaces, stdio, (link, park, *rulesets) = fds[:count], fds[count:count + 3], fds[count + 3:]
    ruleset = rulesets[0] if has_ruleset else -1
    for space in spaces:
        if libc.setns(space, 0) != 0:
            os._exit(11)
        os.close(space)
    if os.fork() != 0:
        os._exit(0)
    if os.getpid() != 2:
        os._exit(12)
    talk = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, 0, fileno=link)
    talk.send(b'E')
    program = talk.recv(65536)
    if not program:
        os._exit(13)
    talk.detach()
    for number, fd in enumerate(stdio):
        os.dup2(fd, number)
        os.close(fd)
    os.dup2(park, 7)
    os.close(park)
    os.dup2(link, 1000, False)
    os.close(link)
    talk = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, 0, fileno=1000)
    confine(libc, uid, has_own_user)
    limit(files, processes, cpu_soft, cpu_hard)
    renew_randomness()
    rehearse()
    if ruleset >= 0:
        if libc.syscall(446, ruleset, 0) != 0:
            os._exit(14)
        os.close(ruleset)
    load_filter(libc, program, talk)

def confine(libc, uid, has_own_user):
    os.setsid()
    os.umask(0o022)
    os.chdir('/tmp')
    for capability in range(64):
        if libc.prctl(24, capability, 0, 0, 0) != 0:
            break
    # A new user namespace has set them back: SECURE_BITS of native/guest.c.
    if libc.prctl(28, 0xEB, 0, 0, 0) != 0:
        os._exit(18)
    if has_own_user:
        os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    if libc.capset(header, (ctypes.c_uint32 * 6)()) != 0 or libc.prctl(4, 0, 0, 0, 0) != 0:
        os._exit(15)

def limit(files, processes, cpu_soft, cpu_hard):
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    resource.setrlimit(resource.RLIMIT_NPROC, (processes, processes))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_soft, cpu_hard))

def renew_randomness():
    modules = sys.modules
    if 'random' in modules:
        modules['random'].seed()
    if 'numpy.random' in modules:
        modules['numpy.random'].seed()
    if '_ssl' in modules:
        modules['_ssl'].RAND_add(os.urandom(64), 64.0)
    if 'uuid' in modules:
        modules['uuid']._node = modules['uuid']._last_timestamp = None
        # The C library's keeps its own node, which all would have.
        modules['uuid']._generate_time_safe = None
    if 'tempfile' in modules:
        modules['tempfile']._name_sequence = None

def load_filter(libc, program, talk):
    class Filter(ctypes.Structure):
        _fields_ = [('length', ctypes.c_ushort), ('rows', ctypes.c_void_p)]
    rows = ctypes.create_string_buffer(program, len(program))
    whole = Filter(len(program) // 8, ctypes.addressof(rows))
    seccomp = {'x86_64': 317, 'aarch64': 277}[os.uname().machine]
    gc.enable()
    listener = libc.syscall(seccomp, 1, 8 | 32, ctypes.byref(whole))
    if listener < 0:
        listener = libc.syscall(seccomp, 1, 8, ctypes.byref(whole))
    if listener < 0:
        os._exit(16)
    talk.sendmsg([b'L'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [listener]))])
    talk.close()
    os.close(listener)

def be_zygote():
    prepare(sys.argv[1:])
    libc = ctypes.PyDLL(None)
    libc.syscall.restype = ctypes.c_long
    keeper = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, 0, fileno=7)
    gc.collect()
    gc.disable()
    gc.freeze()
    os.write(7, b'.')
    while True:
        request, fds, _, _ = socket.recv_fds(keeper, 64, 16)
        if not request:
            os._exit(0)
        try:
            is_child = os.fork() == 0
        except OSError:
            # Its keeper sees that nobody has its link any more.
            is_child = False
        if is_child:
            keeper.close()
            try:
                enter(libc, request, fds)
            except BaseException:
                os._exit(17)
            return
        for fd in fds:
            os.close(fd)
        try:
            while os.waitpid(-1, os.WNOHANG)[0] != 0:
                pass
        except ChildProcessError:
            pass

be_zygote()
${BECOME_PROGRAM}`;

/** The same for Node.js, which ends by itself as it would. */
const NODE = `
const fs = require('node:fs');
void [process.stdout, process.stderr];
fs.writeSync(7, '.');
const chunks = [];
for (;;) {
  const chunk = Buffer.alloc(131072);
  const length = fs.readSync(7, chunk);
  if (length === 0) break;
  chunks.push(chunk.subarray(0, length));
}
fs.closeSync(7);
const job = Buffer.concat(chunks);
if (job.length === 0) process.exit(0);
const count = job.readUInt32LE(0);
const words = job.subarray(8).toString('utf8').split('\\0').slice(0, -1);
const own = new Map(words.slice(count).map((word) => [word.slice(0, word.indexOf('=')), word.slice(word.indexOf('=') + 1)]));
for (const name of Object.keys(process.env)) if (!own.has(name)) delete process.env[name];
for (const [name, value] of own) process.env[name] = value;
process.argv.splice(0, Infinity, words[0], ...words.slice(1, count));
delete require.cache[__filename];
const { runMain } = require('node:module');
// Bound, and not from here: so no frame of this file is below the program's.
process.nextTick(runMain.bind(require('node:module')));
`;

export type Language = 'python' | 'node';

/** The program of a parked cell. */
export function parkedProgram(language: Language): ProgramFile {
  return { name: NAME, content: Buffer.from(language === 'python' ? PYTHON : NODE, 'utf8') };
}

/** The program of a zygote of Python. */
export function zygoteProgram(): ProgramFile {
  return { name: NAME, content: Buffer.from(ZYGOTE, 'utf8') };
}
