# Sends itself SIGALRM, whose default action must work as in any process.
# SPDX-License-Identifier: MIT
import os
import signal
import time

os.kill(os.getpid(), signal.SIGALRM)
time.sleep(1)
print("BREACH: SIGALRM was ignored")
