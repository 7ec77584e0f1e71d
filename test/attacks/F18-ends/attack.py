for number in range(100):
    with open(f"{TMP}/{number}", "wb", buffering=0) as file:
        file.write(bytes(2**20))
