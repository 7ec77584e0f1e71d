print(sorted(name for name in os.listdir("/proc")))
for path in ['/proc/1/environ', '/proc/1/root/etc/shadow', '/proc/1/cwd', '/proc/1/fd', '/proc/1/mem', '/proc/1/status', '/proc/2/status', '/proc/cpuinfo', '/proc/keys', '/proc/kallsyms', '/proc/net/tcp', '/proc/mounts']:
    attempt(path, lambda: os.close(os.open(path, os.O_RDONLY)))
print(sorted(line.split("=")[0] for line in open("/proc/self/environ").read().split("\0") if line))
print(os.readlink("/proc/self/cwd"), os.readlink("/proc/self/root"), [os.readlink(f"/proc/self/fd/{n}").split(":")[0] for n in range(3)])
print(open("/proc/self/cgroup").read().replace("/\n", "\n").count("/"))
print(sys.argv[1] in open("/proc/self/mountinfo").read(), os.path.exists("/proc/self/root/" + sys.argv[1]))
