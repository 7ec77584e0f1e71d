for name in ("json", "os", "random", "encodings", "tempfile"):
    open(f"{TMP}/{name}.py", "w").write("print('shadowed')")
import json, random, tempfile
usr = os.__file__[: os.__file__.index("/usr/lib/")] + "/usr/"
print([path for path in sys.path if not path.startswith(usr)], all(module.__file__.startswith(usr) for module in (json, random, tempfile)))
