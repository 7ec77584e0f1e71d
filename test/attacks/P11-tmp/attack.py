for number in range(1000):
    open(f"/tmp/{number}", "wb").write(bytes(2**20))
