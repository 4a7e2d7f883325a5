# Ends well while its child computes. The child must go at once, and its CPU time must be counted.
# SPDX-License-Identifier: MIT
import os
import time

r, w = os.pipe()
if os.fork() == 0:
    while time.process_time() < 0.2:
        pass
    os.write(w, b"x")
    while True:
        pass
os.read(r, 1)
print("done", flush=True)
