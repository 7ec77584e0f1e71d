while True:
    os.write(1, bytes(range(128, 256)) * 64)
    os.write(2, bytes(65536))
