# Opens what it has mapped by /proc/self/map_files: for writing never.
# SPDX-License-Identifier: MIT
import os

bad = []
try:
    names = os.listdir("/proc/self/map_files")
except OSError:
    names = []
for name in names:
    p = "/proc/self/map_files/" + name
    for flags in (os.O_RDWR, os.O_WRONLY):
        try:
            os.open(p, flags)
            bad.append("opened %s for writing: %s" % (p, os.readlink(p)))
        except OSError:
            pass
print("\n".join("BREACH: " + b for b in bad) or "held")
