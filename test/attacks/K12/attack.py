seen = set()
for family in range(47):
    for kind in (1, 2, 3, 5, 10):
        try:
            call(NR["socket"], family, kind, 0)
            seen.add(f"made {family} {kind}")
        except OSError as error:
            seen.add(errno.errorcode[error.errno])
print(seen)
for family in range(2, 47):
    try:
        call(NR["socketpair"], family, 1, 0, ctypes.byref((ctypes.c_int * 2)()))
        print("made", family)
    except OSError as error:
        seen.add(errno.errorcode[error.errno])
print(seen)
import asyncio, socket
attempt("datagrams", lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM))
attempt("stream", lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM) and None)
print(asyncio.run(asyncio.sleep(0, "asyncio works")))
