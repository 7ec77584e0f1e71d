import os
import socket

socket.recv_fds = lambda *_: os._exit(3)
