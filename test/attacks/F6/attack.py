for path in ['/proc/sys/kernel/core_pattern', '/proc/sysrq-trigger', '/sys/fs/cgroup/release_agent', '/sys/kernel/uevent_helper', '/sys/kernel/debug', '/proc/sys/kernel/modprobe']:
    attempt(path, lambda: os.open(path, os.O_WRONLY))
