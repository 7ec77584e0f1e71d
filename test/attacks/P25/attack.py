import threading, time
threading.Thread(target=time.sleep, args=(600,)).start()
print("leaving", flush=True)
call(NR["exit"], 0)
