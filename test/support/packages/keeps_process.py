import ctypes
import os
import threading
import time


def stay():
    os.closerange(0, 8)
    threading.Thread(target=time.sleep, args=(1e6,)).start()
    # Only the first thread ends by it: the process then looks as if it were dead.
    ctypes.CDLL(None).pthread_exit(None)


if os.fork() == 0:
    if os.fork() == 0:
        stay()
    os._exit(0)
os.wait()
