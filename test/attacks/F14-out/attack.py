os.chdir("/tmp")
os.mkdir("names")
for name in (b"line\nfeed", b"\xff\xfe", b"n" * 255, b" ", b"-rf", b"\x1b[2J", b"*", b"..."):
    open(b"names/" + name, "w").write("x")
os.mkdir("closed")
open("closed/inner", "w").write("inner")
os.chmod("closed/inner", 0)
os.chmod("closed", 0)
os.mkdir("deep")
os.chdir("deep")
for depth in range(10_000):
    os.mkdir("d")
    os.chdir("d")
