import os
import socket


def listen():
    global kept
    kept = socket.socket()
    kept.listen()


# When a zygote has been looked at, and before what it forks is.
os.register_at_fork(before=listen)
