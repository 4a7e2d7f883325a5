# Writes to stdout as fast as it can, with a limit that kills. Must end at that limit, and be told so.
# SPDX-License-Identifier: MIT
import os

block = b"0123456789abcde\n" * 4096
while True:
    os.write(1, block)
