# Queues real-time signals that it has blocked. Must be refused at a small number.
# SPDX-License-Identifier: MIT
import ctypes
import os
import signal

libc = ctypes.CDLL(None, use_errno=True)
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGRTMIN})
for i in range(100000):
    if libc.sigqueue(os.getpid(), signal.SIGRTMIN, ctypes.c_void_p(i)) < 0:
        break
print("held" if i < 20000 else "BREACH: %d queued signals" % i)
