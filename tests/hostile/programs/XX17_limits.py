# Raises limits, its own and those of pid 1: its own stay, others cannot be touched.
# SPDX-License-Identifier: MIT
import ctypes, os, resource

bad = []
libc = ctypes.CDLL(None, use_errno=True)
for which in range(16):
    soft, hard = resource.getrlimit(which)
    if hard == resource.RLIM_INFINITY:
        continue
    for value in (hard + 1, resource.RLIM_INFINITY):
        try:
            resource.setrlimit(which, (soft, value))
            bad.append("raised limit %d" % which)
        except (OSError, ValueError):
            pass
for which in (resource.RLIMIT_NICE if hasattr(resource, "RLIMIT_NICE") else 13, 14):
    if resource.getrlimit(which)[1] != 0:
        bad.append("limit %d allows real-time or urgent scheduling" % which)
pair = (ctypes.c_ulong * 2)(5, 5)
for pid in (1, 1 | 1 << 32, os.getppid()):
    for which in (7, 6, 1):
        if libc.syscall(302, ctypes.c_ulong(pid), which, pair, None) == 0:
            bad.append("set a limit of pid 1")
print("\n".join("BREACH: " + b for b in bad) or "held")
