import socket

for number in range(2000):
    with socket.create_connection(("127.0.0.1", 3128), 20) as one:
        name = f"host{number}.example" if number % 2 else f"\x1b[31m{number}.example"
        one.sendall(f"CONNECT {name}:443 HTTP/1.0\r\n\r\n".encode())
        one.recv(1)
some = []
for _ in range(12):
    one = socket.create_connection(("127.0.0.1", 3128), 20)
    one.setblocking(False)
    some.append(one)
    try:
        one.send(b"GET http://example.invalid/ HTTP/1.1\r\nX: ")
    except BlockingIOError:
        pass
print("done")
