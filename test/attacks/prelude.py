# What every attack begins with; the runner puts the numbers of this machine's system calls, `NR`, before it.
import ctypes
import errno
import mmap
import os
import platform
import sys

# The only folder that may be written to; its name is another in each tier.
TMP = os.environ.get("TMPDIR", "/tmp")
# The only folder that may be written to; its name is another in each tier.
TMP = os.environ.get("TMPDIR", "/tmp")
_libc = ctypes.CDLL(None, use_errno=True)


def attempt(name, action):
    """Prints what came of it: the error's name, or that it was done."""
    try:
        value = action()
    except OSError as error:
        print(f"{name}: {errno.errorcode.get(error.errno, error.errno)}", flush=True)
    except BaseException as error:
        print(f"{name}: {type(error).__name__}", flush=True)
    else:
        print(f"{name}: done" if value is None else f"{name}: done {value}", flush=True)


def call(nr, *arguments):
    """One system call by number, through the C library's syscall(3)."""
    ctypes.set_errno(0)
    words = [ctypes.c_ulonglong(word & 0xFFFF_FFFF_FFFF_FFFF) if isinstance(word, int) else word for word in arguments]
    _libc.syscall.restype = ctypes.c_long
    answer = _libc.syscall(ctypes.c_long(nr), *words)
    if answer == -1:
        raise OSError(ctypes.get_errno(), "")
    return answer


def try_calls(*names):
    """Each without arguments that mean anything."""
    for name in names:
        attempt(name, lambda: call(NR[name], 0, 0, 0, 0, 0, 0) and None)


def machine_code(code):
    """A function of one number whose instructions are `code`."""
    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(code)
    address = ctypes.addressof(ctypes.c_char.from_buffer(page))
    function = ctypes.CFUNCTYPE(ctypes.c_long, ctypes.c_long)(address)
    function.page = page
    return function


def raw_call():
    """A function that makes the system call of a number with zeroes, without the C library."""
    if platform.machine() == "x86_64":
        # mov rax, rdi; xor edi, esi, edx, r10, r8, r9; syscall; ret
        return machine_code(bytes.fromhex("4889f8 31ff 31f6 31d2 4d31d2 4d31c0 4d31c9 0f05 c3"))
    # mov x8, x0; mov x0 to x5, xzr; svc 0; ret
    words = [0xAA0003E8] + [0xAA1F03E0 + register for register in range(6)] + [0xD4000001, 0xD65F03C0]
    return machine_code(b"".join(word.to_bytes(4, "little") for word in words))


