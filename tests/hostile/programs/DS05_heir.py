# Ends while a grandchild keeps stdout open. Its end must be told at once, and the grandchild go.
# SPDX-License-Identifier: MIT
import os
import time

if os.fork() == 0:
    if os.fork() == 0:
        os.setsid()
        time.sleep(1000)
    os._exit(0)
os.wait()
print("done", flush=True)
