import threading, time
word = ctypes.c_int(0)
def lock(name):
    attempt(name, lambda: call(NR["futex"], ctypes.byref(word), 6 | 128, 0, 0, 0, 0) and None)
lock("first")
lock("second")
word.value = 0x3FFF_FFFF
lock("of nobody")
word.value = 1
lock("of init")
attempt("wake all", lambda: call(NR["futex"], ctypes.byref(word), 1 | 128, 0x7FFF_FFFF, 0, 0, 0))
attempt("requeue", lambda: call(NR["futex"], ctypes.byref(word), 12 | 128, 1, 1, ctypes.byref(word), 0))
attempt("nowhere", lambda: call(NR["futex"], 0xFFFF_8000_0000_0000, 0, 0, 0, 0, 0))
