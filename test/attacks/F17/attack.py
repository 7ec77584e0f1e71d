for folder in ("/tmp", "/dev/shm", "/run/lock", "/var/tmp", "/run", "/var/lock", "/home", "/root"):
    path = folder + "/message"
    print(folder, os.path.exists(path))
    try:
        open(path, "w").write("hello")
    except OSError:
        print("not written")
