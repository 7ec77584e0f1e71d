os._exit(256)
