import resource
for name in ("NOFILE", "NPROC", "FSIZE", "STACK", "CPU", "MEMLOCK"):
    limit = getattr(resource, "RLIMIT_" + name)
    attempt(name, lambda: resource.setrlimit(limit, (resource.getrlimit(limit)[1] * 2 + 10,) * 2))
attempt("of init", lambda: resource.prlimit(1, resource.RLIMIT_NOFILE, (10, 10)))
