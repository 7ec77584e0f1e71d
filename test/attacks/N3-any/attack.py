import socket

one = socket.socket()
attempt("bind", lambda: one.bind(("0.0.0.0", 40404)))
