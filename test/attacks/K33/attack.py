import signal, time
count = 0
def more(*_):
    global count
    count += 1
for number in (signal.SIGALRM, signal.SIGVTALRM, signal.SIGPROF):
    signal.signal(number, more)
for which in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF):
    signal.setitimer(which, 1e-6, 1e-6)
while True:
    try:
        open("/etc/os-release")
    except OSError:
        pass
