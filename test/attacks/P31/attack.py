os._exit(137)
