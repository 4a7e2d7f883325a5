# Patches the interpreter and its modules, in memory and on disk; the next job has them pristine.
# SPDX-License-Identifier: MIT
import builtins, json, os, site, sys, threading

bad = []
role = json.load(open("/input/data.json")).get("role")
if hasattr(builtins, "tako_was_here") or hasattr(json, "tako_was_here") or sys.gettrace():
    bad.append("the interpreter is not pristine")
if "tako_fake" in sys.modules or any("tako" in str(f) for f in sys.meta_path):
    bad.append("an import hook of the job before is there")
builtins.tako_was_here = json.tako_was_here = sys.modules["tako_fake"] = 1
json.loads = len = None
sys.settrace(lambda *a: None)
threading.settrace(lambda *a: None)
sys.meta_path.insert(0, "tako")
code = "import builtins; builtins.tako_was_here = 1"
for d in sys.path + [site.getusersitepackages(), os.path.dirname(os.__file__)]:
    for name in ("sitecustomize.py", "usercustomize.py", "tako.pth", "__pycache__/x.pyc"):
        p = d + "/" + name
        try:
            if open(p).read() == code:
                bad.append("the job before left " + p)
        except (OSError, UnicodeDecodeError):
            pass
        try:
            os.makedirs(os.path.dirname(p), exist_ok=True)
            open(p, "w").write(code)
        except OSError:
            pass
sys.settrace(None)
print("\n".join("BREACH: " + b for b in bad) or "held")
