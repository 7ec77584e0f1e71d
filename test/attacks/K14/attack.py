import socket
one = socket.socket(socket.AF_UNIX)
attempt("host", lambda: one.connect("\0" + sys.argv[1]))
attempt("datagram", lambda: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"x", "\0" + sys.argv[1]))
for name in ("/run/dbus/system_bus_socket", "/tmp/.X11-unix/X0", "/var/run/nscd/socket"):
    attempt(name, lambda: one.connect(name))
attempt("/tmp", lambda: one.bind(TMP + "/own"))
