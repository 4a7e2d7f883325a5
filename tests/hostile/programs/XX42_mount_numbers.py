# Where mounts and descriptors come from: the numbers in fdinfo and mountinfo name no path outside.
# SPDX-License-Identifier: MIT
import os

bad = []
for fd in (0, 1, 2):
    try:
        text = open("/proc/self/fdinfo/%d" % fd).read()
        link = os.readlink("/proc/self/fd/%d" % fd)
    except FileNotFoundError:
        continue
    if not (link.startswith("pipe:") or link in ("/dev/null", "/null", "/")):
        bad.append("descriptor %d is %s" % (fd, link))
    if "lock:" in text or "inotify" in text:
        bad.append("descriptor %d shows locks" % fd)
try:
    for line in open("/proc/self/mountinfo"):
        if " shared:" in line or " master:" in line or " propagate_from:" in line:
            bad.append("a mount that tells others, or is told: " + line.split()[4])
        if "rw" in line.split()[5].split(",") and line.split()[4] not in (
                "/tmp", "/output", "/dev/shm", "/proc"):
            bad.append("can be written: " + line.split()[4])
except FileNotFoundError:
    pass
print("\n".join("BREACH: " + b for b in bad) or "held")
