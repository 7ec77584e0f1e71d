import sysconfig
library = sysconfig.get_path("stdlib")
for path in (library + "/sitecustomize.py", library + "/__pycache__/os.cpython-313.pyc", "/usr/lib/python3/dist-packages/evil.pth"):
    attempt(path.rsplit("/", 1)[1], lambda: open(path, "w"))
user = f"{TMP}/.local/lib/python3.{sys.version_info.minor}/site-packages"
print(os.path.exists(user), "usercustomize" in sys.modules, sys.flags.isolated, sys.flags.no_user_site, sys.dont_write_bytecode)
os.makedirs(user)
for name in ("usercustomize.py", "sitecustomize.py", "evil.pth"):
    open(f"{user}/{name}", "w").write("import sys; print('planted')")
