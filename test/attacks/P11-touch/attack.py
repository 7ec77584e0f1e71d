room = mmap.mmap(-1, 2**38, flags=mmap.MAP_PRIVATE | 0x4000)
for at in range(0, 2**38, 4096):
    room[at] = 1
