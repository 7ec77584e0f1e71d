def fill(name):
    with open(name, "wb", buffering=0) as file:
        while True:
            file.write(bytes(2**20))
attempt("shared memory", lambda: fill("/dev/shm/a"))
attempt("more", lambda: fill("/dev/shm/b"))
attempt("file", lambda: fill("/tmp/c"))
attempt("program", lambda: os.chmod("/dev/shm/a", 0o755))
attempt("execute", lambda: mmap.mmap(os.open("/dev/shm/a", os.O_RDONLY), 4096, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_EXEC) and None)
attempt("device", lambda: os.mkdir("/dev/other"))
