compare = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
numbers = (ctypes.c_int * 2)()
sys.setrecursionlimit(10**9)
def again(a, b):
    _libc.qsort(numbers, 2, 4, function)
    return 0
function = compare(again)
again(0, 0)
