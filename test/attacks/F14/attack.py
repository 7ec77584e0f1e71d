os.symlink("/etc", TMP + "/a")
for name in (b"line\nfeed", b"\xff\xfe", b"n" * 255, b" ", b"-rf", b"\x1b[2J", b"*"):
    open(os.fsencode(TMP) + b"/" + name, "w").close()
os.mkdir(TMP + "/closed", 0)
depth = 0
os.chdir(TMP)
try:
    while depth < 3000:
        os.mkdir("d" * 200)
        os.chdir("d" * 200)
        depth += 1
except OSError as error:
    print(errno.errorcode[error.errno])
print(depth)
attempt("immutable", lambda: call(NR["ioctl"], os.open(TMP + "/-rf", os.O_RDONLY), 0x40086602, 0) and None)
