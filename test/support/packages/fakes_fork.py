import os

os.fork = lambda: 0
