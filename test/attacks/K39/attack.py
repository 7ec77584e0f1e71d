import socket, struct
one, two = socket.socketpair()
attempt("who", lambda: struct.unpack("3i", one.getsockopt(socket.SOL_SOCKET, 17, 12))[1] == os.getuid())
attempt("want to know", lambda: two.setsockopt(socket.SOL_SOCKET, 16, 1))
for name, words in (("root", (os.getpid(), 0, 0)), ("init", (1, os.getuid(), os.getgid())), ("itself", (os.getpid(), os.getuid(), os.getgid()))):
    attempt(name, lambda: one.sendmsg([b"x"], [(socket.SOL_SOCKET, 2, struct.pack("3i", *words))]))
