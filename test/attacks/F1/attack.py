for path in ['/etc/shadow', '/root/.ssh', '/home/user', '/var/run/docker.sock', '/run/secrets/kubernetes.io/serviceaccount/token', '/proc/1', '/sys/kernel', '/var/lib/rootcellar']:
    attempt(path, lambda: open(path))
attempt("canary", lambda: open(sys.argv[1]))
