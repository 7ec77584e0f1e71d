import resource, signal
for number in (signal.SIGXCPU, signal.SIGALRM, signal.SIGTERM):
    signal.signal(number, signal.SIG_IGN)
attempt("raise", lambda: resource.setrlimit(resource.RLIMIT_CPU, (-1, -1)))
while True:
    pass
