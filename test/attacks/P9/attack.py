import signal
attempt("everybody", lambda: os.kill(-1, 9))
attempt("init", lambda: os.kill(1, 9))
attempt("parent", lambda: os.kill(os.getppid(), 9))
attempt("a group", lambda: os.killpg(1, 9))
seen = []
for pid in range(3, 100_000):
    try:
        os.kill(pid, 0)
        seen.append(pid)
    except (ProcessLookupError, PermissionError):
        pass
print([pid for pid in seen if pid != os.getpid()], flush=True)
os.killpg(0, signal.SIGKILL)
