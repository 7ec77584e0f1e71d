import socket

kept = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
kept.connect(("127.0.0.1", 9))
