print("calling", flush=True)
call(0x7fffffff)
