import threading
def flood():
    while True:
        try:
            call(NR["ptrace"], 0, 0, 0, 0)
        except OSError:
            pass
for _ in range(24):
    threading.Thread(target=flood).start()
