# Sends signals to everything it can name. Must reach nothing but its own processes.
# SPDX-License-Identifier: MIT
import ctypes
import os
import platform
import signal
import time

for number in set(range(1, 65)) - {signal.SIGCHLD}:
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
libc = ctypes.CDLL(None)
child = os.fork()
if child == 0:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    time.sleep(1000)
time.sleep(0.2)
for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGSEGV):
    try:
        os.kill(-1, number)
    except ProcessLookupError:
        pass
os.waitpid(child, 0)
for pid in [1, os.getppid(), 0x7FFFFFFF] + list(range(3, 3000)):
    if pid == os.getpid():
        continue
    for number in (signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM):
        try:
            os.kill(pid, number)
        except OSError:
            pass
        if platform.machine() == "x86_64":
            libc.syscall(234, pid, pid, number)  # tgkill
    try:
        fd = os.pidfd_open(pid)
        signal.pidfd_send_signal(fd, signal.SIGKILL)
        os.close(fd)
    except (OSError, AttributeError):
        pass
time.sleep(0.1)  # time to die, if something was hit
print("held")
