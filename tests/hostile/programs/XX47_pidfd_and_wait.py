# Waits for, polls and signals pid 1 by descriptor: it is told nothing and does nothing.
# SPDX-License-Identifier: MIT
import os, select, signal

bad = []
fd = os.pidfd_open(1)
for s in range(1, 65):
    try:
        signal.pidfd_send_signal(fd, s)
    except OSError:
        pass
for how in ((os.P_PIDFD, fd), (os.P_PID, 1)):
    try:
        os.waitid(*how, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        bad.append("can wait for pid 1")
    except OSError:
        pass
if select.select([fd], [], [], 0.2)[0]:
    bad.append("pid 1 has ended")
for act in (lambda: os.setpgid(1, 0), lambda: os.setpgid(0, 1), lambda: os.setpgid(1, 1),
            lambda: os.tcsetpgrp(0, 1)):
    try:
        act()
        bad.append("changed the process group of pid 1, or joined it")
    except OSError:
        pass
print("\n".join("BREACH: " + b for b in bad) or "held")
