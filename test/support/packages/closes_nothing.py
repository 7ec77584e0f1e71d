import os

os.close = lambda _: None
