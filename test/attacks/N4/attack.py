import socket


def connect(address, family=socket.AF_INET):
    with socket.socket(family) as one:
        one.settimeout(2)
        one.connect(address)


os.environ.clear()
attempt("direct", lambda: connect(("8.8.8.8", 3128)))
attempt("port", lambda: connect(("8.8.8.8", 53)))
attempt("host", lambda: connect(("127.0.0.1", int(sys.argv[1]))))
attempt("six", lambda: connect(("2001:4860:4860::8888", 3128), socket.AF_INET6))
attempt("fast open", lambda: socket.socket().sendto(b"x", socket.MSG_FASTOPEN, ("8.8.8.8", 3128)))
attempt("fast open by sendmsg", lambda: socket.socket().sendmsg([b"x"], [], socket.MSG_FASTOPEN, ("8.8.8.8", 3128)))
