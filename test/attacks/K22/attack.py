open(TMP + "/su", "w").write("#!/usr/bin/python3")
os.chmod(TMP + "/su", 0o4755)
attempt("own", lambda: os.execv(TMP + "/su", ["su"]))
attempt("of the image", lambda: os.execv(sys.executable, ["python3"]))
