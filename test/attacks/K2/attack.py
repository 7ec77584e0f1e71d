page = machine_code(bytes.fromhex("53 b814000000 cd80 5b c3"))
print("calling", flush=True)
print("got", page(0))
