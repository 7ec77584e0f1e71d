import os

os.setresuid = lambda *_: None
