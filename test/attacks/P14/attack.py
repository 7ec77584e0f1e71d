import resource
attempt("limit", lambda: resource.setrlimit(resource.RLIMIT_CORE, (2**30, 2**30)))
attempt("dumpable", lambda: call(NR["prctl"], 4, 1, 0, 0, 0))
print(resource.getrlimit(resource.RLIMIT_CORE), flush=True)
os.abort()
