# Sends messages in the name of root and of pid 1: refused.
# SPDX-License-Identifier: MIT
import os, socket, struct

bad = []
a, b = socket.socketpair()
b.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
for who in ((1, 0, 0), (1, os.getuid(), os.getgid()), (os.getpid(), 0, os.getgid()),
            (os.getpid(), os.getuid(), 0)):
    try:
        a.sendmsg([b"x"], [(socket.SOL_SOCKET, 2, struct.pack("3i", *who))])  # SCM_CREDENTIALS
        bad.append("spoke as pid %d, user %d, group %d" % who)
    except OSError:
        pass
print("\n".join("BREACH: " + b for b in bad) or "held")
