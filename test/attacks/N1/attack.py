import socket
def connect(family, address):
    with socket.socket(family) as one:
        one.settimeout(2)
        one.connect(address)
port = int(sys.argv[1])
for host in ("127.0.0.1", "0.0.0.0", "169.254.169.254", "172.17.0.1", "10.96.0.1", "2130706433", "0x7f000001"):
    attempt(host, lambda: connect(socket.AF_INET, (host, port)))
for host in ("::1", "::ffff:127.0.0.1", "fd00:ec2::254"):
    attempt(host, lambda: connect(socket.AF_INET6, (host, port)))
attempt("a name", lambda: connect(socket.AF_INET, ("metadata.google.internal", port)))
