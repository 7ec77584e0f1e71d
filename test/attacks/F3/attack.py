for path in ['/proc/self/environ', '/proc/1/environ', '/proc/self/mountinfo', '/proc/self/root', '/proc/1/root/etc/shadow', '/proc/1/cwd', '/proc/self/fd/0', '/proc/self/exe', '/proc/self/mem', '/proc/cpuinfo', '/proc/keys']:
    attempt(path, lambda: os.open(path, os.O_RDONLY))
attempt("list", lambda: os.listdir("/proc"))
