attempt("-1", lambda: call(-1))
attempt("0xffffffff", lambda: call(0xffffffff))
attempt("0x3fffffff", lambda: call(0x3fffffff))
