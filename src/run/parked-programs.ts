import type { ProgramFile } from './launch-plan.ts';

/** Where neither Python nor Node.js would take it for a module, and no program has a file. */
const NAME = '.parked';

/**
 * What a parked Python does: imports the modules that its arguments name, goes once through what every program goes through,
 * says that it is ready, and becomes the program that it is sent the words of (native/park.h), as `python FILE` would run it:
 * a module `__main__` of its own, tracebacks from its own file on, exit status, SystemExit, threads, atexit, and what is
 * deleted with the main module. It leaves without tearing down the interpreter, of which nothing outside would be seen.
 */
const PYTHON = `
import sys

def prepare(modules):
    import importlib, linecache, traceback
    for name in modules:
        importlib.import_module(name)
    try:
        exec(compile('def f(x):\\n    raise ValueError(x)\\nf(1)', '<warm>', 'exec'), {})
    except ValueError as error:
        ''.join(traceback.format_exception(type(error), error, error.__traceback__))
    linecache.clearcache()

def await_job():
    import os
    os.write(7, b'.')
    chunks = []
    while chunk := os.read(7, 131072):
        chunks.append(chunk)
    os.close(7)
    job = b''.join(chunks)
    if not job:
        os._exit(0)
    counts = [int.from_bytes(job[at:at + 4], sys.byteorder) for at in (0, 4)]
    words = [os.fsdecode(word) for word in job[8:].split(b'\\0')[:-1]]
    return words[:counts[0]], words[counts[0]:]

def take_variables(variables):
    import os
    own = dict(variable.split('=', 1) for variable in variables)
    for name in [name for name in os.environ if name not in own]:
        del os.environ[name]
    for name, value in own.items():
        if os.environ.get(name) != value:
            os.environ[name] = value
    if 'TZ' in own:
        import time
        time.tzset()

def make_main(path):
    import builtins
    from importlib.machinery import SourceFileLoader
    main = type(sys)('__main__')
    main.__dict__.update(
        __builtins__=builtins, __file__=path, __cached__=None, __loader__=SourceFileLoader('__main__', path))
    sys.modules['__main__'] = main
    return main

def run(path, namespace):
    try:
        with open(path, 'rb') as file:
            source = file.read()
        exec(compile(source, path, 'exec', dont_inherit=True), namespace)
        return 0
    except SystemExit as end:
        return status_of(end.code)
    except BaseException as error:
        rest = error.__traceback__.tb_next
        sys.excepthook(type(error), error.with_traceback(rest), rest)
        return 'interrupt' if isinstance(error, KeyboardInterrupt) else 1

def status_of(code):
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 255
    flush()
    print(code, file=sys.stderr)
    return 1

def flush():
    is_good = True
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None and not stream.closed:
                stream.flush()
        except Exception:
            is_good = False
    return is_good

def leave(main, status):
    import atexit, gc, os
    threading = sys.modules.get('threading')
    if threading is not None:
        threading._shutdown()
    atexit._run_exitfuncs()
    is_good = flush()
    sys.modules.pop('__main__', None)
    main.__dict__.clear()
    gc.collect()
    is_good = flush() and is_good
    if status == 'interrupt':
        import signal
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
        status = 130
    os._exit(status if is_good or status else 120)

def live():
    prepare(sys.argv[1:])
    words, variables = await_job()
    take_variables(variables)
    path = words[3]
    if hasattr(sys, 'orig_argv'):
        sys.orig_argv[:] = words
    sys.argv[:] = words[3:]
    main = make_main(path)
    leave(main, run(path, main.__dict__))

live()
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
require('node:module').runMain();
`;

export type Language = 'python' | 'node';

/** The program of a parked cell. */
export function parkedProgram(language: Language): ProgramFile {
  return { name: NAME, content: Buffer.from(language === 'python' ? PYTHON : NODE, 'utf8') };
}
