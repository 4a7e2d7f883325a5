# Keeps descriptors in messages to itself, in circles: a limit ends it, later jobs are not hurt.
# SPDX-License-Identifier: MIT
import array, socket

bad = []
kept, sent = [], 0
try:
    while sent < 100000:
        a, b = socket.socketpair()
        b.setblocking(False)
        kept.append((a, b))
        fds = array.array("i", [a.fileno(), b.fileno()] * 100)
        while True:
            b.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])
            sent += len(fds)
except OSError as e:
    print("after %d descriptors: %s" % (sent, e.strerror))
if sent >= 100000:
    bad.append("no limit for descriptors in flight")
print("\n".join("BREACH: " + b for b in bad) or "held")
