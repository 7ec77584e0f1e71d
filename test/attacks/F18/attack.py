def fill(name):
    with open(name, "wb", buffering=0) as file:
        while True:
            file.write(bytes(2**20))
attempt("one file", lambda: fill(TMP + "/a"))
attempt("another", lambda: fill(TMP + "/b"))
os.unlink(TMP + "/a")
os.unlink(TMP + "/b")
file = os.open(TMP + "/c", os.O_RDWR | os.O_CREAT)
attempt("fallocate", lambda: os.posix_fallocate(file, 0, 2**40))
attempt("truncate", lambda: os.ftruncate(file, 2**60))
attempt("beyond", lambda: os.pwrite(file, b"x", 2**50))
