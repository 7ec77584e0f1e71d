os.symlink("/etc/passwd", TMP + "/result")
os.mkfifo(TMP + "/fifo")
with open(TMP + "/sparse", "wb") as file:
    attempt("sparse", lambda: os.ftruncate(file.fileno(), 2**40))
attempt("entries", lambda: [open(f"{TMP}/{n}", "w").close() for n in range(1_000_000)] and None)
