import threading
def robust():
    attempt("robust list", lambda: call(NR["set_robust_list"], 0xFFFF_8000_0000_0000, 24) and None)
    attempt("rseq", lambda: call(NR["rseq"], 0xFFFF_8000_0000_0000, 32, 0, 0))
thread = threading.Thread(target=robust)
thread.start()
thread.join()
loop = (ctypes.c_ulonglong * 3)()
loop[0] = ctypes.addressof(loop) + 8
loop[1] = ctypes.addressof(loop) + 8
call(NR["set_robust_list"], loop, 24)
print("a list without end", flush=True)
