import threading
import time

threading.Thread(target=time.sleep, args=(1e6,), daemon=True).start()
