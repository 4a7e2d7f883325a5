# Joins the namespaces of pid 1 and of itself, by file and by pidfd: refused.
# SPDX-License-Identifier: MIT
import ctypes, glob, os

bad = []
libc = ctypes.CDLL(None, use_errno=True)
for p in glob.glob("/proc/1/ns/*") + glob.glob("/proc/self/ns/*"):
    try:
        fd = os.open(p, os.O_RDONLY)
    except OSError:
        continue
    if libc.setns(fd, 0) == 0:
        bad.append("joined " + p)
    os.close(fd)
for pid in (1, os.getpid()):
    try:
        fd = os.pidfd_open(pid)
    except OSError:
        continue
    for flag in (0x10000000, 0x20000, 0x20000000, 0x40000000, 0x8000000, 0x4000000, 0x2000000):
        if libc.setns(fd, flag) == 0:
            bad.append("joined namespace %#x of pid %d" % (flag, pid))
print("\n".join("BREACH: " + b for b in bad) or "held")
