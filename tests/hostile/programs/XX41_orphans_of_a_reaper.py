# Becomes the reaper of its orphans and leaves stopped, traced and sleeping children: all killed.
# SPDX-License-Identifier: MIT
import ctypes, os, signal, time

libc = ctypes.CDLL(None)
libc.prctl(36, 1, 0, 0, 0)
for n in range(5):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            if n == 1:
                libc.ptrace(0, 0, 0, 0)
            if n < 3:
                os.kill(os.getpid(), signal.SIGSTOP)
            if n == 3:
                libc.vfork()
            time.sleep(1000)
        os._exit(0)
time.sleep(0.3)
print("held")
