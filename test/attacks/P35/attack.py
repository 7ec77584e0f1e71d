import faulthandler, signal
stack = ctypes.create_string_buffer(65536)
handler = ctypes.CFUNCTYPE(None, ctypes.c_int)(lambda _: ctypes.string_at(0))
_libc.signal(11, handler)
print("faulting", flush=True)
ctypes.string_at(0)
