# Leaves the root through an inherited directory descriptor (CVE-2024-21626): there is none.
# SPDX-License-Identifier: MIT
import os, stat

bad = []
for fd in range(1024):
    try:
        mode = os.fstat(fd).st_mode
    except OSError:
        continue
    if stat.S_ISDIR(mode):
        bad.append("descriptor %d is a directory" % fd)
    for way in (fd, "/proc/self/fd/%d" % fd, "/proc/self/fd/%d/../../../.." % fd):
        try:
            os.chdir(way)
            bad.append("changed into %s" % way)
        except OSError:
            pass
print("\n".join("BREACH: " + b for b in bad) or "held")
