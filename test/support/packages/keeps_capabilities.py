import ctypes

real = ctypes.PyDLL


class Library:
    """The C library, but for what gives up capabilities."""

    def __init__(self, name):
        self.__dict__["own"] = real(name)

    def __getattr__(self, name):
        if name in ("capset", "prctl"):
            return lambda *_: 0
        return getattr(self.own, name)


ctypes.PyDLL = Library
