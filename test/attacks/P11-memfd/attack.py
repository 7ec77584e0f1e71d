while True:
    file = os.memfd_create("x")
    for _ in range(8):
        os.write(file, bytes(2**20))
