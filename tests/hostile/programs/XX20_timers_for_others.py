# Timers and clocks that would strike or wake others: pid 1, and the machine's alarm.
# SPDX-License-Identifier: MIT
import ctypes

bad = []
libc = ctypes.CDLL(None, use_errno=True)
timer = ctypes.c_int()
event = (ctypes.c_int * 16)(0, 0, 9, 4, 1)  # SIGKILL to thread 1
if libc.syscall(222, 1, event, ctypes.byref(timer)) == 0:
    bad.append("a timer that signals pid 1")
for clock in (8, 9):  # the alarm clocks, which wake the machine up
    if libc.syscall(222, clock, None, ctypes.byref(timer)) == 0:
        bad.append("a timer on alarm clock %d" % clock)
    if libc.timerfd_create(clock, 0) >= 0:
        bad.append("a timer descriptor on alarm clock %d" % clock)
print("\n".join("BREACH: " + b for b in bad) or "held")
