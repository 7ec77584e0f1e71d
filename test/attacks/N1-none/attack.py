import socket
attempt("socket", socket.socket)
attempt("name", lambda: socket.getaddrinfo("localhost", 80) and None)
