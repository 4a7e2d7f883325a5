# Walks out through the links of /proc: all of them end at the job's own root.
# SPDX-License-Identifier: MIT
import glob, os

bad = []
root = os.stat("/")
for p in (glob.glob("/proc/*/root") + glob.glob("/proc/*/task/*/root") +
          ["/proc/self/root/../..", "/proc/self/cwd/../../.."]):
    try:
        st = os.stat(p)
        if (st.st_dev, st.st_ino) != (root.st_dev, root.st_ino):
            bad.append(p + " is another directory than /")
    except OSError:
        pass
for p in glob.glob("/proc/[0-9]*/cwd/.."):
    if os.stat(p).st_dev not in (root.st_dev, os.stat("/app").st_dev):
        bad.append(p)
print("\n".join("BREACH: " + b for b in bad) or "held")
