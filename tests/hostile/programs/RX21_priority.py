# Asks to go before everybody else on this machine. Must be refused.
# SPDX-License-Identifier: MIT
import ctypes
import os
import platform
import struct

libc = ctypes.CDLL(None)
good = True


def breach(what):
    global good
    print("BREACH:", what)
    good = False


for name in ("SCHED_FIFO", "SCHED_RR"):
    try:
        os.sched_setscheduler(0, getattr(os, name), os.sched_param(1))
        breach(name)
    except OSError:
        pass
try:
    os.setpriority(os.PRIO_PROCESS, 0, -20)
    breach("nice -20")
except OSError:
    pass
if platform.machine() == "x86_64":
    deadline = struct.pack("IIQiIQQQ", 48, 6, 0, 0, 0, 10**7, 10**8, 10**8)
    if libc.syscall(314, 0, deadline, 0) == 0:
        breach("SCHED_DEADLINE")
    if libc.syscall(251, 1, 0, 1 << 13) == 0:
        breach("real-time input and output")
if good:
    print("held")
