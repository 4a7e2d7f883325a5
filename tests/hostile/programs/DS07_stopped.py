# Stops itself and its whole group. Must end in time.
# SPDX-License-Identifier: MIT
import os
import signal

if os.fork() == 0:
    while True:
        pass
os.kill(0, signal.SIGSTOP)
