import socket

attempt("bind", lambda: socket.socket().bind(("127.0.0.1", 40404)))
attempt("any", lambda: socket.socket().bind(("0.0.0.0", 0)))
attempt("listen", lambda: socket.socket().listen())
