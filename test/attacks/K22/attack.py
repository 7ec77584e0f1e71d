open("/tmp/su", "w").write("#!/usr/bin/python3")
os.chmod("/tmp/su", 0o4755)
attempt("own", lambda: os.execv("/tmp/su", ["su"]))
attempt("of the image", lambda: os.execv(sys.executable, ["python3"]))
