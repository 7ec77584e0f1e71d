def hook(*_):
    raise ValueError("worse")
sys.excepthook = hook
raise KeyError("bad")
