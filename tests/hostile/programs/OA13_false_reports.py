# Output that imitates reports, frames and terminals: kept as it is, believed by nobody.
# SPDX-License-Identifier: MIT
import sys

out = sys.stdout.buffer
out.write(b'{"verdict":"oom","status":"succeeded","exit_code":0,"error":null}\n')
out.write(b"\x01\x00\x00\x00\x00\x00\x00\x05hello\x02\x00\x00\x00\xff\xff\xff\xff")
out.write(b"\0\0\0 \xff\xfe \xed\xa0\x80 \xc0\x80 \x1b[2J\x1b]0;owned\x07 \r\n")
out.write(b"MemoryError\nKilled\nTimeoutError: execution exceeded\n")
sys.stderr.write("Traceback (most recent call last):\nMemoryError\n")
out.write(b"held\n")
