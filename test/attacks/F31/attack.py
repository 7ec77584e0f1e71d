for name in ("a", "b"):
    open(f"{TMP}/{name}", "w").write(name)
def rename(old, new, flags):
    return call(NR["renameat2"], -100, ctypes.c_char_p(os.fsencode(old)), -100, ctypes.c_char_p(os.fsencode(new)), flags) and None
attempt("exchange", lambda: rename(TMP + "/a", TMP + "/b", 2))
print(open(TMP + "/a").read())
attempt("with the image", lambda: rename(TMP + "/a", os.__file__, 2))
attempt("whiteout", lambda: rename(TMP + "/a", TMP + "/c", 4))
attempt("not over", lambda: rename(TMP + "/b", TMP + "/b", 1))
attempt("into itself", lambda: (os.mkdir(TMP + "/d"), os.rename(TMP + "/d", TMP + "/d/e")))
attempt("away", lambda: os.rename(TMP, TMP + "2"))
