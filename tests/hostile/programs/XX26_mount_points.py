# Moves, exchanges and hides the mount points: all of them stay in place.
# SPDX-License-Identifier: MIT
import ctypes, os

bad = []
libc = ctypes.CDLL(None, use_errno=True)
points = [b"/tmp", b"/output", b"/dev/shm", b"/proc", b"/usr", b"/code", b"/input", b"/dev/null"]
before = {p: os.stat(p).st_ino for p in points if os.path.exists(p)}
os.mkdir("/tmp/d")
for p in points:
    for target in (b"/tmp/moved", b"/output/moved", b"/moved", p + b"2", b"/tmp/d"):
        for flags in (0, 1, 2, 4):  # plain, no replace, exchange, whiteout
            if libc.renameat2(-100, p, -100, target, flags) == 0:
                bad.append("moved %s" % p.decode())
                libc.renameat2(-100, target, -100, p, 0)
            if libc.renameat2(-100, target, -100, p, flags) == 0:
                bad.append("replaced %s" % p.decode())
if {p: os.stat(p).st_ino for p in before} != before:
    bad.append("a mount point is another directory now")
print("\n".join("BREACH: " + b for b in bad) or "held")
