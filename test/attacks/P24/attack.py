import array, socket
def fill():
    while True:
        os.dup(0)
attempt("descriptors", fill)
os.closerange(3, 256)
left, right = socket.socketpair()
left.setblocking(False)
def send():
    while True:
        left.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0] * 250))])
attempt("in flight", send)
