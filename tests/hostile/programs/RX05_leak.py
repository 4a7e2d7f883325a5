# Leaks slowly. Must end at the limit of memory exactly as one that leaks fast.
import time

kept = []
while True:
    kept.append(b"x" * 1048576)
    time.sleep(0.001)
