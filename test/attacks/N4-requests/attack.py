import socket


def ask(name, words):
    with socket.create_connection(("127.0.0.1", 3128), 10) as one:
        one.sendall(words.encode())
        print(f"{name}: {one.recv(4096).split(b' ')[1].decode()}", flush=True)


START = "POST http://example.invalid/ HTTP/1.1\r\nHost: example.invalid\r\n"
ask("two lengths", START + "Content-Length: 3\r\nContent-Length: 30\r\n\r\nabc")
ask("length and chunks", START + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
ask("chunks twice", START + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n")
ask("two hosts", START + "Host: other.example\r\n\r\n")
ask("another host", "GET http://example.invalid/ HTTP/1.1\r\nHost: other.example\r\n\r\n")
ask("another host in a tunnel", "CONNECT example.invalid:443 HTTP/1.1\r\nHost: other.example:443\r\n\r\n")
ask("folded", START + "X: a\r\n b: c\r\n: d\r\n\r\n")
ask("bare line feed", "GET http://example.invalid/\nHost: example.invalid HTTP/1.1\r\nHost: other.example\r\n\r\n")
ask("a path", "GET / HTTP/1.1\r\nHost: example.invalid\r\n\r\n")
ask("a user", "GET http://example.invalid@other.example/ HTTP/1.1\r\nHost: other.example\r\n\r\n")
ask("port 22", "CONNECT example.invalid:22 HTTP/1.0\r\n\r\n")
ask("port 25", "GET http://example.invalid:25/ HTTP/1.0\r\n\r\n")
ask("a name below", "CONNECT a.example.invalid:443 HTTP/1.0\r\n\r\n")
ask("a name that ends alike", "CONNECT notexample.invalid:443 HTTP/1.0\r\n\r\n")
ask("no HTTP", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n")
ask("a long head", START + "X: " + "y" * 20_000 + "\r\n\r\n")
