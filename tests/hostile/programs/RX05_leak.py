# Leaks slowly. Must end at the limit of memory exactly as one that leaks fast.
# SPDX-License-Identifier: MIT
import time

kept = []
while True:
    kept.append(b"x" * 1048576)
    time.sleep(0.001)
