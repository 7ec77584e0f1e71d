import type { RunRequest } from '../../src/run-program.ts';

/** A program that is to tell the same in a cell of its own and in one that waited. */
export interface WarmProgram {
  readonly code: string | Uint8Array;
  /** `main.py` when undefined. */
  readonly file?: string;
  readonly request?: Partial<RunRequest>;
}

const SECRET = 'a=b \u{1f955}\u0001"\'\\ \n';

/** By what they try. */
export const PYTHON_PROGRAMS: Readonly<Record<string, WarmProgram>> = {
  nothing: { code: '' },
  output: { code: 'import sys\nprint("out")\nprint("err", file=sys.stderr)\nsys.stdout.write("no newline")' },
  'binary output': { code: 'import sys\nsys.stdout.buffer.write(bytes(range(256)))' },
  'big output': { code: 'for n in range(20000): print(n, "x" * 40)', request: { limits: { outputBytes: 2 ** 21 } } },
  'output beyond its limit': { code: 'while True: print("x" * 1000)', request: { limits: { outputBytes: 5000 } } },
  'standard input': { code: 'import sys\nprint(repr(sys.stdin.read()))', request: { input: Buffer.from('a\nä\n') } },
  'input() at the end': { code: 'print(input())\nprint(input())', request: { input: Buffer.from('only one\n') } },
  'arguments and variables': {
    code: `
import os, sys
print(sys.argv, sys.orig_argv, dict(os.environ), os.environb[b"ODD"], os.getenv("EMPTY"))
print(os.getcwd(), os.listdir("/run/program"), os.listdir("/tmp"), __file__)`,
    request: { arguments: ['', '-c', SECRET, '--', 'x'.repeat(50_000)], environment: { ODD: SECRET, EMPTY: '' } },
  },
  'a time zone': {
    code: 'import time, datetime\nprint(time.tzname, time.localtime(0)[:6], datetime.datetime.fromtimestamp(0))',
    request: { environment: { TZ: 'Asia/Tokyo' } },
  },
  'the module __main__': {
    code: `
import __main__, sys
print(sorted((name, type(value).__name__) for name, value in globals().items()))
print(__name__, __doc__, __package__, __spec__, __file__, __builtins__, __main__.__dict__ is globals(), sys.path)
print(__loader__.name, __loader__.path, vars().get("__annotations__"), sys.flags, sys.warnoptions, sys._xoptions)
x: int = 1
print(__annotations__)
if __name__ == "__main__": print("main")`,
  },
  'its own source': {
    code: `
"""Of the program."""
import inspect, linecache, sys
def f():
    return 1  # one
class C:
    x = 2
print(__doc__, inspect.getsource(f), inspect.getsource(C), inspect.getfile(f), open(__file__).read().count("\\n"))
print(linecache.getline(__file__, 4), inspect.getmodule(f), inspect.getsourcefile(C))`,
  },
  'pickles of main': {
    code: `
import copy, dataclasses, pickle, typing
@dataclasses.dataclass
class Point:
    x: int
    y: "typing.Optional[Point]" = None
p = pickle.loads(pickle.dumps(Point(1, Point(2))))
print(p, p == Point(1, Point(2)), Point.__module__, copy.deepcopy(p), typing.get_type_hints(Point))`,
  },
  'an exception': { code: 'def f(x):\n    return 1 / x\n\nprint("before")\nf(0)\n' },
  'chained exceptions': {
    code: `
class Oh(Exception): pass
def f():
    try:
        {}["key"]
    except KeyError as error:
        raise Oh("because") from error
try:
    f()
except Oh:
    raise ValueError("while")`,
  },
  'an exception group with notes': {
    code: 'e = ValueError(1)\ne.add_note("a note")\nraise ExceptionGroup("several", [e, TypeError(2)])',
  },
  'a SyntaxError': { code: 'x = 1\ny = (2,\nprint(x' },
  'an IndentationError': { code: 'if True:\nprint(1)' },
  'a warning and a SyntaxError': { code: 'x = "\\d"\ny y' },
  'bytes that are not UTF-8': { code: Buffer.from([0x78, 0x3d, 0x22, 0xff, 0x22, 0x0a]) },
  'another encoding': {
    code: Buffer.concat([Buffer.from('# coding: latin-1\nprint("'), Buffer.from([0xe4, 0x22, 0x29])]),
  },
  'a NUL': { code: 'print(1)\nx = "\0"\n' },
  'a byte order mark and CRLF': { code: '\ufeffprint(1)\r\nprint("""a\r\nb""")\r\n' },
  'an exception of compiled text': { code: 'exec(compile("1/0", "<text>", "exec"))' },
  'exit statuses': { code: 'import sys\nprint("x", end="")\nsys.exit(7)' },
  'exit(None)': { code: 'raise SystemExit' },
  'exit(-1)': { code: 'import sys\nsys.exit(-1)' },
  'exit(True)': { code: 'exit(True)' },
  'exit(2**70)': { code: 'raise SystemExit(2**70)' },
  'exit(text)': { code: 'import sys\nprint("out")\nsys.exit("text ä")' },
  'exit(object)': { code: 'raise SystemExit(("a", 1))' },
  'an exit of its own kind': { code: 'class Own(SystemExit): pass\ntry:\n    1/0\nfinally:\n    raise Own(5)' },
  'exit(text) without stderr': { code: 'import sys\nsys.stderr = None\nsys.exit("text")' },
  'os._exit': { code: 'import os, sys\nprint("lost")\nsys.stdout.flush()\nprint("x")\nos._exit(9)' },
  'exit in a thread': {
    code: 'import sys, threading\nt = threading.Thread(target=sys.exit, args=(5,))\nt.start()\nt.join()\nprint("on")',
  },
  KeyboardInterrupt: { code: 'print("x")\nraise KeyboardInterrupt' },
  'a signal to itself': { code: 'import os, signal\nprint("x", flush=True)\nos.kill(os.getpid(), signal.SIGTERM)' },
  'SIGINT to itself': { code: 'import os, signal\nos.kill(os.getpid(), signal.SIGINT)' },
  abort: { code: 'import os\nos.abort()' },
  'a fault': { code: 'import ctypes, faulthandler\nfaulthandler.enable()\nctypes.string_at(0)' },
  'threads that outlive main': {
    code: `
import threading, time
def work():
    time.sleep(0.05)
    print("worked")
threading.Thread(target=work).start()
threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
print("main ends")`,
  },
  'an exception in a thread': {
    code: 'import threading\nt = threading.Thread(target=lambda: 1/0, name="mine")\nt.start()\nt.join()',
  },
  'the order of the end': {
    code: `
import atexit, threading, weakref, sys
NAME = "global"
class Thing:
    def __init__(self, name): self.name = name
    def __del__(self): print("deleted", self.name, NAME, __name__)
thing, other = Thing("first"), Thing("second")
cycle = Thing("cycle"); cycle.self = cycle
class Plain: pass
plain = Plain()
weakref.finalize(plain, print, "finalized")
atexit.register(print, "registered first")
atexit.register(lambda: print("registered last", "__file__" in globals(), __name__))
threading.Thread(target=lambda: print("thread")).start()
print("main ends")`,
  },
  'a failure at the end': { code: 'import atexit\natexit.register(lambda: 1/0)\natexit.register(print, "still")' },
  'an exit at the end': { code: 'import atexit, sys\natexit.register(lambda: sys.exit(3))\nprint(1)' },
  'what is deleted after an exception': {
    code: 'class C:\n    def __del__(self): print("deleted", NAME)\nNAME, c = "name", C()\ndef f(mine): 1/0\nf(C())',
  },
  'what is deleted without its stdout': {
    code: 'import io, sys\nclass C:\n    def __del__(self): print("deleted")\nc = C()\nprint(1)\nsys.stdout = io.StringIO()\nprint(2)',
  },
  'unflushed files': {
    code: `
import io, os, sys
open("/tmp/a", "w").write("a")
f = os.fdopen(os.dup(1), "w")
f.write("through another file\\n")
print("before it")
sys.stdout = io.StringIO()
print("nowhere")`,
  },
  'output of the C library': {
    code: 'import ctypes\nlibc = ctypes.CDLL(None)\nlibc.printf(b"from C\\n")\nlibc.puts(b"again")\nprint("of Python")',
  },
  'multiprocessing and subprocess': {
    code: `
import multiprocessing, subprocess
def square(n): return n * n
if __name__ == "__main__":
    try:
        print(subprocess.run(["/bin/true"]))
    except OSError as error:
        print(error)
    try:
        with multiprocessing.Pool(2) as pool: print(pool.map(square, range(3)))
    except OSError as error:
        print(error)`,
  },
  asyncio: {
    code: `
import asyncio
async def main():
    print(await asyncio.gather(*(asyncio.sleep(0, n) for n in range(3))))
    asyncio.create_task(asyncio.sleep(60))
    raise LookupError("in main")
asyncio.run(main())`,
  },
  warnings: {
    code: `
import warnings
warnings.warn("of the user")
warnings.warn("is old", DeprecationWarning)
"text" is "text"
def f(): warnings.warn("deeper", stacklevel=2)
f()`,
  },
  recursion: {
    code: 'import sys\nprint(sys.getrecursionlimit())\ndef f(n): return f(n + 1)\ntry:\n    f(0)\nexcept RecursionError as e:\n    print(e)',
  },
  'a lack of memory': { code: 'x = bytearray(10**9)', request: { limits: { memoryBytes: 64 * 2 ** 20 } } },
  'a MemoryError': { code: 'x = [0] * (2**62)' },
  'the time limit': { code: 'print("begun", flush=True)\nwhile True: pass', request: { limits: { wallMs: 3000 } } },
  'the processor limit': { code: 'while True: pass', request: { limits: { cpuMs: 200 } } },
  'denied calls': {
    code: `
import os, socket
for tried in (socket.socket, os.fork, lambda: os.kill(1, 9)):
    try: tried()
    except OSError as error: print(error)`,
  },
  'many modules': {
    code: `
import collections, csv, datetime, decimal, fractions, functools, hashlib, heapq, itertools, json, math, random, re
import sqlite3, statistics, string, textwrap, time, traceback, types, urllib.parse, uuid, xml.etree.ElementTree, zlib
print(json.dumps({"a": 1}), math.pi, re.sub("a", "b", "aa"), hashlib.sha256(b"").hexdigest(), decimal.Decimal(1) / 3)
print(sum(map(ord, str(uuid.UUID(int=7)))), textwrap.fill("a b c", 3), statistics.median([3, 1, 2]))`,
  },
  'a module that is not there': { code: 'import nothing_of_that_name' },
  'a traceback of its own': {
    code: 'import sys, traceback\ntry:\n    1/0\nexcept ZeroDivisionError:\n    traceback.print_exc(file=sys.stdout)',
  },
  'stdout that is closed': { code: 'import sys\nprint("lost?")\nsys.stdout.close()\nprint("more")' },
  'descriptor 1 that is closed': { code: 'import os, sys\nprint("lost")\nos.close(1)\nsys.exit(3)' },
  'descriptor 2 that is closed': { code: 'import os, sys\nsys.stderr.write("lost")\nos.close(2)\n1/0' },
  'no stdout': { code: 'import sys\nprint("before")\nsys.stdout = None\nprint("nowhere")' },
  'no stderr': { code: 'import sys\nsys.stderr = None\n1/0' },
  'a hook of its own': {
    code: 'import sys\nsys.excepthook = lambda t, v, tb: print("hook", t.__name__, v, tb.tb_lineno, tb.tb_next)\n1/0',
  },
  'a hook that exits': { code: 'import sys\nsys.excepthook = lambda *_: sys.exit(4)\n1/0' },
  'a hook that fails': { code: 'import sys\ndef hook(*_): raise KeyError("in hook")\nsys.excepthook = hook\n1/0' },
  'no hook': { code: 'import sys\ndel sys.excepthook\n1/0' },
  'the last exception': {
    code: 'import atexit, sys\natexit.register(lambda: print(sys.last_type, sys.last_value, sys.last_traceback.tb_lineno))\n1/0',
  },
  'garbage of its own': { code: 'import gc\nprint(gc.isenabled(), gc.get_threshold(), gc.get_debug(), gc.garbage)' },
  descriptors: {
    code: 'import fcntl\nfor n in range(64):\n    try: print(n, fcntl.fcntl(n, fcntl.F_GETFD), fcntl.fcntl(n, fcntl.F_GETFL))\n    except OSError: pass',
  },
  'a replaced os._exit': { code: 'import os, sys\nos._exit = sys.exit = print\nprint(1)' },
  'a name of its own': { file: 'of the user.txt', code: 'print(__file__)\n1/0' },
  'the name of what waits': { file: '.parked', code: 'print(__file__)\n1/0' },
};
