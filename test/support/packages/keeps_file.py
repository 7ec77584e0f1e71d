opened = open("/etc/passwd")
