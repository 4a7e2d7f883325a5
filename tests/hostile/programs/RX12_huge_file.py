# Makes a file of nearly 8 EiB where artifacts are taken from. Must be refused, or never be copied.
# SPDX-License-Identifier: MIT
import os

f = os.open("/output/huge", os.O_CREAT | os.O_WRONLY)
for size in ((1 << 63) - 1, (1 << 62), 1 << 50):
    try:
        os.ftruncate(f, size)
        break
    except OSError:
        continue
if os.fstat(f).st_size == 0:
    os.unlink("/output/huge")
print("held")
