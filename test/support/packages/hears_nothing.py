import socket
import time

socket.recv_fds = lambda *_: time.sleep(1e6)
