os.write(1, "ä".encode()[:1])
os.write(2, "€".encode()[:2])
os.write(1, b"\xff\x00")
