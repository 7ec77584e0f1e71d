for number in range(1000):
    open(f"{TMP}/{number}", "wb").write(bytes(2**20))
