import socket

socket.recv_fds = lambda *_: (b"x", [], 0, None)
