attempt("base address", lambda: call(NR["arch_prctl"], 0x1002, 0xFFFF_8000_0000_0000))
attempt("no cpuid", lambda: call(NR["arch_prctl"], 0x1012, 0))
attempt("more registers", lambda: call(NR["arch_prctl"], 0x1023, 18) and None)
attempt("shadow stack", lambda: call(NR["arch_prctl"], 0x5001, 1))
