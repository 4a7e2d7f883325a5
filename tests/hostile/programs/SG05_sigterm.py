# Sends itself SIGTERM, whose default action must work as in any process.
# SPDX-License-Identifier: MIT
import os
import signal
import time

os.kill(os.getpid(), signal.SIGTERM)
time.sleep(1)
print("BREACH: SIGTERM was ignored")
