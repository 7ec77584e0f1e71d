own = os.open(TMP + "/a", os.O_RDWR | os.O_CREAT)
os.write(own, bytes(65536))
image = os.open(os.__file__, os.O_RDONLY)
for name, mode in (("hole", 3), ("collapse", 8), ("zero", 16), ("insert", 32), ("unshare", 64)):
    attempt(name, lambda: call(NR["fallocate"], own, mode, 0, 4096) and None)
    attempt(name + " in the image", lambda: call(NR["fallocate"], image, mode, 0, 4096))
attempt("beyond", lambda: call(NR["fallocate"], own, 0, 2**62, 4096))
