import time
print("last words", flush=True)
os.closerange(0, 256)
time.sleep(600)
