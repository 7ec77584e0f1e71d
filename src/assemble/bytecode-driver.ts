/**
 * The Python program that compiles. It imports built-in and frozen modules only, so it hardly needs a standard library.
 *
 * First it writes `VERSION CACHE_TAG` as an answer. Then it reads chunks: the number of files, and for each its name in
 * the image and its content, each after its length; all numbers are 32 bits, little-endian. Each file gets one answer:
 * a status byte (0: bytecode, 1: why there is none), a length and that many bytes. It ends with its input.
 *
 * A process that never compiled anything forks one for each chunk. That one may use 120 s of processor time.
 * Bytecode is of the kind "unchecked hash": PEP 552. It ends with status 1 when a chunk's process did not end well.
 */
export const COMPILE_DRIVER = `
import _frozen_importlib_external, _imp, _signal, marshal, posix, sys

MAGIC = _frozen_importlib_external.MAGIC_NUMBER
KEY = int.from_bytes(MAGIC, 'little')
END_OF_INPUT = 3

def read(size):
    parts = []
    while size:
        part = posix.read(0, min(size, 1 << 20))
        if not part:
            posix._exit(END_OF_INPUT)
        parts.append(part)
        size -= len(part)
    return b''.join(parts)

def number():
    return int.from_bytes(read(4), 'little')

def answer(status, content):
    message = memoryview(bytes([status]) + len(content).to_bytes(4, 'little') + content)
    while message:
        message = message[posix.write(1, message):]

def compiled(path, source):
    try:
        code = compile(source, path, 'exec', dont_inherit=True, optimize=0)
        return 0, MAGIC + b'\\1\\0\\0\\0' + _imp.source_hash(KEY, source) + marshal.dumps(code)
    except Exception as error:
        return 1, (type(error).__name__ + ': ' + str(error)[:500]).encode('utf-8', 'replace')

def compile_chunk():
    for _ in range(number()):
        _signal.setitimer(_signal.ITIMER_PROF, 120)
        path = read(number()).decode('utf-8')
        answer(*compiled(path, read(number())))

version = '.'.join(map(str, sys.version_info[:3]))
answer(0, (version + ' ' + sys.implementation.cache_tag).encode())
while True:
    child = posix.fork()
    if child == 0:
        compile_chunk()
        posix._exit(0)
    status = posix.waitpid(child, 0)[1]
    if status:
        posix._exit(0 if status == END_OF_INPUT << 8 else 1)
`;
