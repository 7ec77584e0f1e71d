os.symlink("/etc", "/tmp/a")
for name in (b"line\nfeed", b"\xff\xfe", b"n" * 255, b" ", b"-rf", b"\x1b[2J", b"*"):
    open(b"/tmp/" + name, "w").close()
os.mkdir("/tmp/closed", 0)
depth = 0
os.chdir("/tmp")
try:
    while depth < 3000:
        os.mkdir("d" * 200)
        os.chdir("d" * 200)
        depth += 1
except OSError as error:
    print(errno.errorcode[error.errno])
print(depth)
attempt("immutable", lambda: call(NR["ioctl"], os.open("/tmp/-rf", os.O_RDONLY), 0x40086602, 0) and None)
