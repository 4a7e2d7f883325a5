# Sets every flag and size of the pipe that the host reads: what is written arrives to the byte.
# SPDX-License-Identifier: MIT
import fcntl, os

for flags in (os.O_NONBLOCK, os.O_APPEND, os.O_DIRECT, os.O_ASYNC, os.O_NOATIME):
    try:
        fcntl.fcntl(1, fcntl.F_SETFL, flags)
    except OSError:
        pass
    for size in (4096, 1 << 20, 1 << 31, 0):
        try:
            fcntl.fcntl(1, 1031, size)  # F_SETPIPE_SZ
        except OSError:
            pass
fcntl.fcntl(1, fcntl.F_SETFL, os.O_DIRECT)
for n in range(600):  # packets of odd sizes
    os.write(1, b"%03d" % n + b"p" * 97)
