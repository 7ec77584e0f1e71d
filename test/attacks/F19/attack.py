def many(make):
    for number in range(1_000_000):
        make(f"/tmp/{number}")
def clear():
    for name in os.listdir("/tmp"):
        os.unlink("/tmp/" + name)
attempt("files", lambda: many(lambda name: open(name, "w").close()))
clear()
attempt("symbolic links", lambda: many(lambda name: os.symlink("/", name)))
clear()
open("/tmp/first", "w").close()
attempt("hard links", lambda: many(lambda name: os.link("/tmp/first", name)))
