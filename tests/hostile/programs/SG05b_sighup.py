# Sends itself SIGHUP, whose default action must work as in any process.
# SPDX-License-Identifier: MIT
import os
import signal
import time

os.kill(os.getpid(), signal.SIGHUP)
time.sleep(1)
print("BREACH: SIGHUP was ignored")
