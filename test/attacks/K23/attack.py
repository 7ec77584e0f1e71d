print(machine_code(bytes.fromhex("0f31 c3"))(0) > 0)
