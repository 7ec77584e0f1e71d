for path in ['/proc/sys/kernel/core_pattern', '/proc/sysrq-trigger', '/proc/sys/kernel/modprobe', '/proc/kcore', '/proc/acpi', '/proc/timer_list', '/proc/irq', '/proc/bus', '/proc/fs']:
    attempt(path, lambda: os.open(path, os.O_WRONLY))
for name in ('oom_score_adj', 'oom_adj', 'comm', 'coredump_filter', 'uid_map', 'setgroups', 'timerslack_ns', 'attr/current', 'loginuid', 'autogroup', 'sched'):
    attempt(name, lambda: os.open('/proc/self/' + name, os.O_WRONLY))
attempt("new", lambda: os.mkdir("/proc/new"))
