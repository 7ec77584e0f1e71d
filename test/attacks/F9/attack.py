import socket, stat
attempt("socket", lambda: socket.socket(socket.AF_UNIX))
pair = socket.socketpair()
attempt("connect", lambda: pair[0].connect("\0" + sys.argv[1]))
found = []
for folder, _, names in os.walk("/"):
    found += [name for name in names if stat.S_ISSOCK(os.lstat(os.path.join(folder, name)).st_mode)]
print(found)
