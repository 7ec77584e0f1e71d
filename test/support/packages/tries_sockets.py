import socket

HOST = b"\0rootcellar-test-of-the-host"


def made(*arguments):
    socket.socket(*arguments).close()


def bound(kind, address):
    with socket.socket(socket.AF_INET, kind) as one:
        one.bind(address)


def heard():
    with socket.socket() as one:
        one.listen()


def sent_abroad(kind):
    one, two = socket.socketpair(socket.AF_UNIX, kind)
    with one, two:
        one.connect(HOST)


def set_option(level, option):
    with socket.socket() as one:
        one.setsockopt(level, option, 1)


TRIED = {
    "tcp": lambda: made(socket.AF_INET, socket.SOCK_STREAM),
    "udp": lambda: made(socket.AF_INET6, socket.SOCK_DGRAM),
    "unix": lambda: made(socket.AF_UNIX, socket.SOCK_STREAM),
    "unix datagrams": lambda: made(socket.AF_UNIX, socket.SOCK_DGRAM),
    "netlink": lambda: made(socket.AF_NETLINK, socket.SOCK_RAW),
    "packets": lambda: made(socket.AF_PACKET, socket.SOCK_RAW),
    "raw": lambda: made(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP),
    "raw 6": lambda: made(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6),
    "icmp": lambda: made(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP),
    "mptcp": lambda: made(socket.AF_INET, socket.SOCK_STREAM, 262),
    "vsock": lambda: made(40, socket.SOCK_STREAM),
    "alg": lambda: made(38, socket.SOCK_SEQPACKET),
    "tcp port": lambda: bound(socket.SOCK_STREAM, ("127.0.0.1", 0)),
    "tcp port of all addresses": lambda: bound(socket.SOCK_STREAM, ("0.0.0.0", 0)),
    "privileged tcp port": lambda: bound(socket.SOCK_STREAM, ("127.0.0.1", 1)),
    "udp port": lambda: bound(socket.SOCK_DGRAM, ("127.0.0.1", 0)),
    "privileged udp port": lambda: bound(socket.SOCK_DGRAM, ("127.0.0.1", 1)),
    "listen": heard,
    "abstract stream": lambda: sent_abroad(socket.SOCK_STREAM),
    "abstract datagrams": lambda: sent_abroad(socket.SOCK_DGRAM),
    "broadcast": lambda: set_option(socket.SOL_SOCKET, socket.SO_BROADCAST),
    "mark": lambda: set_option(socket.SOL_SOCKET, 36),
    "priority of packets": lambda: set_option(socket.SOL_SOCKET, socket.SO_PRIORITY),
}


def done():
    """What can be done; whatever cannot is refused in one way or another."""
    names = []
    for name, attempt in TRIED.items():
        try:
            attempt()
            names.append(name)
        except OSError:
            pass
    return names


AT_IMPORT = done()
