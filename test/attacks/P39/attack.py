import signal, threading, time
def go_on():
    while True:
        time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGCONT)
threading.Thread(target=go_on, daemon=True).start()
while True:
    os.kill(os.getpid(), signal.SIGTSTP)
    os.kill(os.getpid(), signal.SIGSTOP)
