import socket
pairs = []
def more():
    while True:
        pairs.append(socket.socketpair())
        for one in pairs[-1]:
            one.setblocking(False)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2**30)
            try:
                while True:
                    one.send(bytes(65536))
            except BlockingIOError:
                pass
attempt("more", more)
