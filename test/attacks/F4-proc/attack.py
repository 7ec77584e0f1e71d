import threading
name = os.__file__
before = open(name, "rb").read()
for path in ["/proc/self/mem", "/proc/thread-self/mem", "/proc/2/mem", f"/proc/self/task/{os.getpid()}/mem"]:
    attempt(path, lambda: os.open(path, os.O_RDWR))
attempt("clear_refs", lambda: os.open("/proc/self/clear_refs", os.O_WRONLY))
file = os.open("/proc/self/mem", os.O_RDONLY)
attempt("write", lambda: os.write(file, b"x"))
print(open(name, "rb").read() == before)
