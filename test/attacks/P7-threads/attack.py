import hashlib, threading
def compute():
    while True:
        hashlib.pbkdf2_hmac("sha256", b"x", b"y", 10**9)
for _ in range(8):
    threading.Thread(target=compute).start()
