def many(make):
    for number in range(1_000_000):
        make(f"{TMP}/{number}")
def clear():
    for name in os.listdir(TMP):
        os.unlink(TMP + "/" + name)
attempt("files", lambda: many(lambda name: open(name, "w").close()))
clear()
attempt("symbolic links", lambda: many(lambda name: os.symlink("/", name)))
clear()
open(TMP + "/first", "w").close()
attempt("hard links", lambda: many(lambda name: os.link(TMP + "/first", name)))
