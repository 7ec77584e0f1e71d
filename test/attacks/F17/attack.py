FOLDERS = (TMP, "/dev/shm", "/run/lock", "/var/tmp", "/run", "/var/lock", "/home", "/root")
print([folder for folder in FOLDERS if os.path.exists(folder + "/message")])
for folder in FOLDERS:
    try:
        open(folder + "/message", "w").write("hello")
    except OSError:
        print(folder, "not written")
