attempt("mem", lambda: open("/proc/self/mem", "r+b"))
name = os.__file__
before = open(name, "rb").read()
file = os.open(name, os.O_RDONLY)
attempt("shared", lambda: mmap.mmap(file, 4096, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ | mmap.PROT_WRITE))
shared = mmap.mmap(file, 4096, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ)
address = ctypes.c_void_p()
page = _libc.mmap
page.restype = ctypes.c_void_p
page.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
at = page(None, 4096, 1, 1, file, 0)
attempt("mprotect", lambda: call(NR["mprotect"], at, 4096, 3) and None)
private = mmap.mmap(file, 4096, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_WRITE)
private[:4] = b"EVIL"
attempt("punch a hole", lambda: call(NR["madvise"], at, 4096, 9) and None)
print(open(name, "rb").read() == before)
