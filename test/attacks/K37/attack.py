page = mmap.mmap(-1, 2**24)
address = ctypes.addressof(ctypes.c_char.from_buffer(page))
while True:
    call(NR["madvise"], address, 2**24, 23)
    call(NR["madvise"], address, 2**24, 4)
