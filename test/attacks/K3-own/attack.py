print("calling", flush=True)
print("got", call(0x40000208, 0, 0, 0))
