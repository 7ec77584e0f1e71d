os.symlink("/etc/passwd", "/tmp/result")
os.mkfifo("/tmp/fifo")
with open("/tmp/sparse", "wb") as file:
    attempt("sparse", lambda: os.ftruncate(file.fileno(), 2**40))
attempt("entries", lambda: [open(f"/tmp/{n}", "w").close() for n in range(1_000_000)] and None)
