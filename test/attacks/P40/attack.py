print("waiting", flush=True)
if call(NR["clone"], 0x4000 | 17, 0, 0, 0, 0) == 0:
    while True:
        pass
