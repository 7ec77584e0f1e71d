import builtins

builtins.exec = lambda *_: print("in place of the program")
builtins.compile = lambda *_, **__: None
