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
const PYTHON = `
import atexit, builtins, ctypes, gc, os, sys, time

# What the program replaces is not what ends it.
exit_now, collect = os._exit, gc.collect
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
libc.fopen.argtypes = [ctypes.c_char_p, ctypes.c_char_p]
run_file = ctypes.pythonapi.PyRun_SimpleFileExFlags
run_file.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_void_p]

def prepare(modules):
    import importlib, linecache, traceback
    for name in modules:
        importlib.import_module(name)
    try:
        exec(compile('def f(x):\\n    raise ValueError(x)\\nf(1)', '<warm>', 'exec'), {})
    except ValueError as error:
        ''.join(traceback.format_exception(type(error), error, error.__traceback__))
    linecache.clearcache()
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

prepare(sys.argv[1:])
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
