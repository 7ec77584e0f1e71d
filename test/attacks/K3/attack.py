print("calling", flush=True)
print("got", call(0x4000003b, 0, 0, 0))
