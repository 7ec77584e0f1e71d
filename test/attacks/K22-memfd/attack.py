file = os.memfd_create("x", 0)
with open(os.path.realpath(sys.executable), "rb") as source:
    while data := source.read(2**20):
        os.write(file, data)
empty = ctypes.create_string_buffer(b"")
code = b"import os\nos.setuid(0)"
words = (ctypes.c_char_p * 5)(b"x", b"-I", b"-c", code, None)
print("executing", flush=True)
call(NR["execveat"], file, ctypes.addressof(empty), ctypes.addressof(words), 0, 0x1000)
