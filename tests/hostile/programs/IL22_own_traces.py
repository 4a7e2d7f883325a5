# Names that the program sees of itself are neutral, and nobody's source but its own is in sight.
# SPDX-License-Identifier: MIT
import os, sys, traceback

bad = []
seen = [__file__, sys.path[0], os.getcwd()] + sys.argv
try:
    seen.append(open("/proc/self/cmdline").read())
except FileNotFoundError:
    pass
try:
    raise ValueError
except ValueError:
    seen += [f.filename for f in traceback.extract_tb(sys.exc_info()[2])]
for text in seen:
    for word in text.split("\0"):
        if word.startswith("/") and not word.startswith(("/code", "/app", "/usr/bin/python3")):
            bad.append("sees " + word)
if len(traceback.extract_stack()) != 1 or sys.gettrace() or sys.getprofile():
    bad.append("runs below somebody else's frames")
if set(os.listdir("/code")) - {"main.py", "data.json", "__pycache__"}:
    bad.append("/code has %s" % os.listdir("/code"))
print("\n".join("BREACH: " + b for b in bad) or "held")
