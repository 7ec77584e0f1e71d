os.read(0, 10)
os.close(0)
import time
time.sleep(0.2)
print("done")
