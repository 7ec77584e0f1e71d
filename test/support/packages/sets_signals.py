import signal

for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGPIPE, signal.SIGXCPU):
    signal.signal(number, signal.SIG_IGN)
signal.signal(signal.SIGALRM, signal.SIG_DFL)
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
