attempt("tty", lambda: open("/dev/tty"))
for name, code in (("TIOCSTI", 0x5412), ("TIOCLINUX", 0x541c), ("TIOCSETD", 0x5423), ("TIOCSCTTY", 0x540e), ("TIOCCONS", 0x541d), ("TCSETS", 0x5402)):
    for number in (0, 1, 2):
        attempt(name, lambda: call(NR["ioctl"], number, code, 0))
print([os.isatty(number) for number in (0, 1, 2)], os.getsid(0) == os.getpid())
