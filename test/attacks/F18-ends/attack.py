for number in range(100):
    with open(f"/tmp/{number}", "wb", buffering=0) as file:
        file.write(bytes(2**20))
