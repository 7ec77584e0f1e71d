def zombies():
    while True:
        if os.fork() == 0:
            os._exit(0)
attempt("fork", zombies)
