import mmap

shared = mmap.mmap(-1, 4096, flags=mmap.MAP_SHARED)
