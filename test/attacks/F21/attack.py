for name in ("json", "os", "random", "encodings", "tempfile"):
    open(f"/tmp/{name}.py", "w").write("print('shadowed')")
import json, random, tempfile
print([path for path in sys.path if not path.startswith("/usr")], all(module.__file__.startswith("/usr/") for module in (json, random, tempfile)))
