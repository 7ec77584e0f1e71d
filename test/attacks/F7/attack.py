import fcntl, stat
found = []
for number in range(4096):
    try:
        fcntl.fcntl(number, fcntl.F_GETFD)
    except OSError:
        continue
    found.append(number)
print(found, [stat.S_ISFIFO(os.fstat(number).st_mode) for number in found])
for number in found:
    attempt(f"fchdir {number}", lambda: os.fchdir(number))
