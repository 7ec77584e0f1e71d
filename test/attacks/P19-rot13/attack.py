# coding: rot13
print("x")
