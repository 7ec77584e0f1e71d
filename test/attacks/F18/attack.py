def fill(name):
    with open(name, "wb", buffering=0) as file:
        while True:
            file.write(bytes(2**20))
attempt("one file", lambda: fill("/tmp/a"))
attempt("another", lambda: fill("/tmp/b"))
os.unlink("/tmp/a")
os.unlink("/tmp/b")
file = os.open("/tmp/c", os.O_RDWR | os.O_CREAT)
attempt("fallocate", lambda: os.posix_fallocate(file, 0, 2**40))
attempt("truncate", lambda: os.ftruncate(file, 2**60))
attempt("beyond", lambda: os.pwrite(file, b"x", 2**50))
