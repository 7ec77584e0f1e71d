import array
open(TMP + "/a", "w").close()
file = os.open(TMP + "/a", os.O_RDWR)
attempt("user", lambda: os.setxattr(TMP + "/a", "user.note", b"x"))
attempt("by descriptor", lambda: os.setxattr(file, "user.note", b"x"))
attempt("of the image", lambda: os.setxattr(os.__file__, "user.note", b"x"))
attempt("list", lambda: call(NR["flistxattr"], file, 0, 0))
attempt("flags", lambda: call(NR["ioctl"], file, 0x40086602, ctypes.byref(ctypes.c_int(0x10))))
attempt("times", lambda: os.utime(TMP + "/a", ns=(2**62, -(2**62))))
