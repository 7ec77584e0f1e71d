import os

os.fork = lambda: 0
os.getpid = lambda: 2
