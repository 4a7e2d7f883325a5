# Overwrites the running interpreter through /proc (CVE-2019-5736): it cannot be opened for it.
# SPDX-License-Identifier: MIT
import os, subprocess, sys

bad = []
child = subprocess.Popen(["/proc/self/exe", "-c", "input()"], stdin=subprocess.PIPE)
targets = ["/proc/self/exe", "/proc/1/exe", "/proc/%d/exe" % child.pid, sys.executable,
           os.path.realpath(sys.executable)]
for p in targets:
    for flags in (os.O_WRONLY, os.O_RDWR, os.O_RDWR | os.O_APPEND):
        try:
            os.open(p, flags)
            bad.append("opened %s for writing" % p)
        except OSError:
            pass
child.communicate(b"\n")
fd = os.open("/proc/self/exe", os.O_PATH)
try:  # a descriptor without rights, opened again with rights
    os.open("/proc/self/fd/%d" % fd, os.O_WRONLY)
    bad.append("opened the O_PATH descriptor for writing")
except OSError:
    pass
print("\n".join("BREACH: " + b for b in bad) or "held")
