import signal
count = 0
def tick(*_):
    global count
    count += 1
signal.signal(signal.SIGALRM, tick)
signal.setitimer(signal.ITIMER_REAL, 0.0002, 0.0002)
seen = set()
for _ in range(900):
    try:
        call(NR["ptrace"], 0, 0, 0, 0)
    except OSError as error:
        seen.add(errno.errorcode[error.errno])
signal.setitimer(signal.ITIMER_REAL, 0)
print(seen, count > 10)
