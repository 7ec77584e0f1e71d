import ctypes

real = ctypes.PyDLL


class Library:
    """The C library, but it enters no mount namespace."""

    def __init__(self, name):
        self.__dict__["own"] = real(name)
        self.__dict__["entered"] = 0

    def __getattr__(self, name):
        return self.enter if name == "setns" else getattr(self.own, name)

    def enter(self, space, kind):
        self.__dict__["entered"] += 1
        return 0 if self.entered == 2 else self.own.setns(space, kind)


ctypes.PyDLL = Library
