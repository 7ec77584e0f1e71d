import fcntl
file = os.open(os.__file__, os.O_RDONLY)
attempt("flock", lambda: fcntl.flock(file, fcntl.LOCK_SH))
attempt("lease", lambda: fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK))
attempt("dnotify", lambda: fcntl.fcntl(os.open(os.path.dirname(os.__file__), os.O_RDONLY), fcntl.F_NOTIFY, 1))
try_calls("inotify_init1", "inotify_add_watch", "fanotify_init", "fanotify_mark")
