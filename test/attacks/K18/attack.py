for name, number in {'PR_SET_DUMPABLE': 4, 'PR_SET_MM': 35, 'PR_SET_PDEATHSIG': 1, 'PR_SET_CHILD_SUBREAPER': 36, 'PR_SET_TSC': 26, 'PR_SET_SPECULATION_CTRL': 53, 'PR_SET_SECUREBITS': 28, 'PR_CAP_AMBIENT': 47, 'PR_CAPBSET_DROP': 24, 'PR_SET_KEEPCAPS': 8, 'PR_SET_PTRACER': 1499557217, 'PR_SET_TIMERSLACK': 29, 'PR_SET_SYSCALL_USER_DISPATCH': 59, 'PR_SET_IO_FLUSHER': 57, 'PR_SCHED_CORE': 62}.items():
    attempt(name, lambda: call(NR["prctl"], number, 1, 0, 0, 0))
attempt("name", lambda: call(NR["prctl"], 15, b"evil", 0, 0, 0) and None)
