import threading
def storm():
    while True:
        os.sched_yield()
        call(NR["membarrier"], 1, 0, 0)
        page = mmap.mmap(-1, 2**16)
        page[0] = 1
        page.madvise(mmap.MADV_DONTNEED)
        page.close()
for _ in range(8):
    threading.Thread(target=storm).start()
