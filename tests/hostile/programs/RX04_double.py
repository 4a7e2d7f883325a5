# Doubles its memory for ever. Must end at the limit of memory, and be told as that.
# SPDX-License-Identifier: MIT
data = bytearray(b"x" * 1048576)
while True:
    data.extend(bytes(len(data)))
