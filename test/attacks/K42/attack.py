start = _libc.getauxval
start.restype = ctypes.c_ulong
vdso = start(33)
attempt("writable", lambda: call(NR["mprotect"], vdso, 4096, 7) and None)
code = ctypes.string_at(vdso, 4)
print(code)
attempt("data of the kernel", lambda: call(NR["mprotect"], vdso - 4096 * 4, 4096, 3) and None)
