import fcntl
file = os.open(os.__file__, os.O_RDONLY)
attempt("record lock", lambda: fcntl.lockf(file, fcntl.LOCK_SH, 1, 7))
