print("returning", flush=True)
call(NR["rt_sigreturn"])
