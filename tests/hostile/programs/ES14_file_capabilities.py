# Gives a file capabilities and executes it: refused, or without effect.
# SPDX-License-Identifier: MIT
import os, shutil, struct, subprocess

bad = []
caps = struct.pack("<5I", 0x2000001, 0xFFFFFFFF, 0, 0x1FF, 0)
caps3 = struct.pack("<6I", 0x3000001, 0xFFFFFFFF, 0, 0x1FF, 0, 0)
shutil.copy("/usr/bin/cat", "/tmp/c")
memfd = os.memfd_create("c", 0)
os.write(memfd, open("/usr/bin/cat", "rb").read())
os.fchmod(memfd, 0o755)
for target in ("/tmp/c", memfd):
    for value in (caps, caps3):
        for name in ("security.capability", "trusted.x", "system.x"):
            try:
                os.setxattr(target, name, value)
                bad.append("set %s on %s" % (name, target))
            except OSError:
                pass
    path = target if isinstance(target, str) else "/proc/self/fd/%d" % memfd
    try:
        out = subprocess.run([path, "/proc/self/status"], capture_output=True, pass_fds=[memfd])
        for line in out.stdout.decode().split("\n"):
            if line.startswith(("CapEff", "CapPrm", "CapBnd", "CapAmb")):
                if int(line.split()[1], 16):
                    bad.append("%s has %s" % (path, line))
    except OSError:
        pass
print("\n".join("BREACH: " + b for b in bad) or "held")
