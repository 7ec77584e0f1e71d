for flag in (0x10000000, 0x20000, 0x20000000, 0x40000000, 0x8000000, 0x4000000, 0x2000000, 0x80):
    attempt(f"unshare {flag:x}", lambda: call(NR["unshare"], flag))
    attempt(f"clone {flag:x}", lambda: call(NR["clone"], flag | 17, 0, 0, 0, 0))
attempt("setns", lambda: call(NR["setns"], 0, 0))
arguments = (ctypes.c_uint64 * 11)(0x10000000)
attempt("clone3", lambda: call(NR["clone3"], ctypes.byref(arguments), 88))
attempt("nothing", lambda: call(NR["clone3"], 0, 0))
