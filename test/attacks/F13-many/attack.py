os.mkdir("/tmp/many")
attempt("entries", lambda: [open(f"/tmp/many/{n}", "w").close() for n in range(1_000_000)] and None)
