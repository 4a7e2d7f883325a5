# Writes to stdout as fast as it can. What is kept must be bounded; the rest is counted.
# SPDX-License-Identifier: MIT
import os

block = b"0123456789abcde\n" * 4096
while True:
    os.write(1, block)
