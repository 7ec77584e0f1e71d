attempt("exe", lambda: open("/proc/self/exe", "r+b"))
attempt("own program", lambda: os.open("/proc/self/root/run/program/attack.py", os.O_RDWR))
for number in range(3, 64):
    try:
        os.open(f"/proc/self/fd/{number}", os.O_RDWR)
        print("opened", number)
    except OSError:
        pass
file = os.open(os.__file__, os.O_RDONLY)
attempt("reopen", lambda: os.open(f"/proc/self/fd/{file}", os.O_RDWR))
path = os.open(os.__file__, os.O_PATH)
attempt("by a path", lambda: os.open(f"/proc/self/fd/{path}", os.O_RDWR))
attempt("executable", lambda: os.execv("/proc/self/exe", ["python3"]))
attempt("root", lambda: os.listdir("/proc/self/root/../../home/user"))
attempt("map_files", lambda: os.open("/proc/self/map_files/" + os.listdir("/proc/self/map_files")[0], os.O_RDWR))
attempt("namespace", lambda: os.close(os.open("/proc/self/ns/mnt", os.O_RDONLY)))
attempt("setns", lambda: call(NR["setns"], os.open("/proc/self/ns/mnt", os.O_RDONLY), 0))
