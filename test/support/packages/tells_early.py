import os

os.write(7, b".")
