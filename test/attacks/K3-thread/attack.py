import threading, time
def evil():
    call(0x4000003b, 0, 0, 0)
threading.Thread(target=evil).start()
time.sleep(5)
