import threading
path = ctypes.create_string_buffer(b"/nothing", 64)
words = (ctypes.c_char_p * 2)(b"x", None)
is_over = False
def change():
    while not is_over:
        path.value = b"/usr/bin/python3"
        path.value = b"/nothing"
threading.Thread(target=change).start()
seen = set()
for _ in range(400):
    try:
        call(NR["execve"], ctypes.addressof(path), ctypes.addressof(words), 0)
    except OSError as error:
        seen.add(errno.errorcode[error.errno])
is_over = True
print(seen)
