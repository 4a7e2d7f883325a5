# Writes past the largest size of a file. Must be an error of the write (EFBIG), not a signal.
# SPDX-License-Identifier: MIT
import os

f = os.open("/tmp/large", os.O_CREAT | os.O_WRONLY)
for gigabyte in range(1024):
    for part in range(10):
        os.pwrite(f, b"x", (gigabyte << 30) + part * 104857600 - 1 if gigabyte or part else 0)
print("BREACH: a file of 1 TiB")
