import socket

port = int(sys.argv[1])


def ask(words):
    one = socket.create_connection(("127.0.0.1", 3128), 10)
    one.sendall(words)
    return one.recv(4096)


def status(words):
    return ask(words).split(b" ")[1].decode()


def socks(host):
    name = host.strip("[]") if ":" in host else host
    try:
        place = b"\x04" + socket.inet_pton(socket.AF_INET6, name)
    except OSError:
        place = b"\x03" + bytes([len(host)]) + host.encode()
    one = socket.create_connection(("127.0.0.1", 3128), 10)
    one.sendall(b"\x05\x01\x00")
    one.recv(2)
    one.sendall(b"\x05\x01\x00" + place + port.to_bytes(2, "big"))
    return one.recv(10)[1]


for host in (
    "127.0.0.1", "0.0.0.0", "2130706433", "0x7f000001", "0177.1", "127.1", "[::1]", "[::]", "[::ffff:127.0.0.1]",
    "[::ffff:a9fe:a9fe]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[fd00:ec2::254]", "169.254.169.254", "172.17.0.1",
    "10.96.0.1", "100.100.100.200", "metadata.google.internal", "[fe80::1%lo]", "a b",
):
    get = status(f"GET http://{host}:{port}/ HTTP/1.0\r\n\r\n".encode())
    tunnel = status(f"CONNECT {host}:{port} HTTP/1.0\r\n\r\n".encode())
    print(f"{host}: {get} {tunnel} {socks(host)}", flush=True)
