attempt("list", lambda: sorted(os.listdir("/dev")))
for path in ['/dev/mem', '/dev/kmsg', '/dev/sda', '/dev/vda', '/dev/fuse', '/dev/kvm', '/dev/tty', '/dev/ptmx', '/dev/net/tun', '/dev/loop-control', '/dev/console', '/dev/fd']:
    attempt(path, lambda: os.open(path, os.O_RDONLY))
attempt("new", lambda: open("/dev/new", "w"))
attempt("full", lambda: os.write(os.open("/dev/full", os.O_WRONLY), b"x"))
