attempt("setuid", lambda: os.setuid(0))
attempt("setgid", lambda: os.setgid(0))
attempt("setgroups", lambda: os.setgroups([0]))
print(os.getgroups(), os.getuid() == os.geteuid() > 0, call(NR["prctl"], 23, 0, 0, 0, 0), dict(os.environ).keys() >= {"HOME"})
