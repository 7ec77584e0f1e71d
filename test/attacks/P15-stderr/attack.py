while True:
    os.write(2, b"x" * 100_000)
