# No permissions, sticky, set-user-id: collected, or flagged; nothing is in the way of the end.
# SPDX-License-Identifier: MIT
import os

os.chdir("/output")
for name, mode in (("none", 0), ("sticky", 0o1000), ("setuid", 0o6755), ("write-only", 0o222)):
    open(name, "w").write(name)
    os.chmod(name, mode)
os.makedirs("locked/inner")
open("locked/inner/file", "w").write("x")
os.chmod("locked/inner", 0)
os.chmod("locked", 0)
for p in ("/output", "/tmp", "/dev/shm"):
    try:
        os.chmod(p, 0)
    except OSError:
        pass
print("held")
