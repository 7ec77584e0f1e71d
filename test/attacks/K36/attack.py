page = mmap.mmap(-1, 4096)
address = ctypes.addressof(ctypes.c_char.from_buffer(page))
for name, advice in (("poison", 100), ("soft offline", 101), ("merge", 12), ("wipe on fork", 18), ("page out", 21), ("unknown", 4711)):
    attempt(name, lambda: call(NR["madvise"], address, 4096, advice) and None)
