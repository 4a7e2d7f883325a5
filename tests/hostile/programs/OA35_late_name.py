# A file without a name gets one, and files change places, in the last moment: what is there counts.
# SPDX-License-Identifier: MIT
import os

bad = []
fd = os.open("/output", os.O_TMPFILE | os.O_RDWR, 0o600)
os.write(fd, b"late")
try:
    os.link("/proc/self/fd/%d" % fd, "/output/late", follow_symlinks=True)
except OSError:
    open("/output/late", "w").write("late")
open("/tmp/foreign", "w").write("x")
for source in ("/tmp/foreign", "/etc/passwd", "/code/main.py", "/usr/bin/env"):
    try:
        os.link(source, "/output/foreign")
        bad.append("linked %s into /output" % source)
    except OSError:
        pass
print("\n".join("BREACH: " + b for b in bad) or "held")
