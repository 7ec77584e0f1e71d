import resource
for name in ("NOFILE", "NPROC", "AS", "DATA", "STACK", "FSIZE"):
    attempt(name, lambda: resource.setrlimit(getattr(resource, "RLIMIT_" + name), (0, 0)))
os._exit(5)
