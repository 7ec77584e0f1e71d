import atexit
def forever():
    while True: pass
atexit.register(forever)
print("leaving", flush=True)
