import threading
def take():
    kept = []
    while True:
        kept.append(bytearray(2**18))
for _ in range(24):
    threading.Thread(target=take).start()
