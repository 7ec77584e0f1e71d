room = mmap.mmap(-1, 2**46, flags=mmap.MAP_PRIVATE | 0x4000, prot=mmap.PROT_READ)
total = 0
for at in range(0, 2**46, 2**21):
    total += room[at]
