import fcntl
pipes = []
def more():
    while True:
        pipes.append(os.pipe())
        os.set_blocking(pipes[-1][1], False)
        try:
            while True:
                os.write(pipes[-1][1], bytes(65536))
        except BlockingIOError:
            pass
attempt("larger", lambda: fcntl.fcntl(os.pipe()[0], 1031, 2**20))
attempt("more", more)
