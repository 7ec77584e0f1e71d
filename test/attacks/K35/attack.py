mapped = _libc.mmap
mapped.restype = ctypes.c_void_p
mapped.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
def at(name, address, length, flags, protection=3):
    ctypes.set_errno(0)
    answer = mapped(address, length, protection, flags, -1, 0)
    failed = answer is None or answer == 0xFFFF_FFFF_FFFF_FFFF
    print(name, errno.errorcode.get(ctypes.get_errno(), "done") if failed else "done", flush=True)
at("address 0", 0, 4096, 0x32)
at("kernel", 0xFFFF_8000_0000_0000, 4096, 0x32)
at("all of it", None, 2**47, 0x22)
at("growing down", None, 4096, 0x122)
at("huge pages", None, 2**21, 0x40022)
attempt("lock", lambda: call(NR["mlock"], id(mapped), 2**24))
attempt("a hole in itself", lambda: call(NR["munmap"], 0xFFFF_8000_0000_0000, 4096))
