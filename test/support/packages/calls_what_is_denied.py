import os
import socket

answers = []
for action in (lambda: socket.socket(), lambda: os.system("echo started"), lambda: os.kill(1, 9), lambda: os.chroot("/")):
    try:
        answers.append(action())
    except OSError as error:
        answers.append(error.errno)
