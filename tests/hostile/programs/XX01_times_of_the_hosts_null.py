# Sets the times of the device behind standard input: it may be the host's own node. Refused.
# SPDX-License-Identifier: MIT
import os, stat, time

bad = []
for target in (0, "/dev/null", "/dev/zero", "/dev/stdin", "/proc/self/fd/0"):
    try:
        before = os.stat(target)
        if not stat.S_ISCHR(before.st_mode):
            continue
        time.sleep(0.02)
        os.utime(target)  # "now" needs the right to write only, which everybody has
        after = os.stat(target)
        if after.st_mtime_ns != before.st_mtime_ns and after.st_uid != os.getuid():
            bad.append("changed the times of the host's device behind %s" % target)
    except OSError:
        pass
print("\n".join("BREACH: " + b for b in bad) or "held")
