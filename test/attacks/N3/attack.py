import socket
one = socket.socket()
attempt("bind", lambda: one.bind(("127.0.0.1", 40404)))
two = socket.socket()
two.settimeout(1)
attempt("connect", lambda: two.connect(("127.0.0.1", 40404)))
