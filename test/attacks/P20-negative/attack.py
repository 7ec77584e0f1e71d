sys.exit(-1)
