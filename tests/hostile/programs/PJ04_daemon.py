# A daemon that has left its session and ignores every signal: killed with the job all the same.
# SPDX-License-Identifier: MIT
import os, signal, time

if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for s in range(1, 65):
            try:
                signal.signal(s, signal.SIG_IGN)
            except (OSError, ValueError):
                pass
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        os.closerange(0, 256)
        while True:
            time.sleep(1)
    os._exit(0)
os.wait()
time.sleep(0.1)
print("held")
