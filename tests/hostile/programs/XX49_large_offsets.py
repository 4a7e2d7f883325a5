# Lengths and offsets at the ends of the number range, in every call that copies: errors, no more.
# SPDX-License-Identifier: MIT
import ctypes, os

bad = []
libc = ctypes.CDLL(None, use_errno=True)
fd = os.open("/tmp/f", os.O_CREAT | os.O_RDWR)
src = os.open("/usr/bin/env", os.O_RDONLY)
big = [1 << 31, (1 << 31) - 1, 1 << 32, (1 << 63) - 1, 1 << 63, (1 << 64) - 1]
for n in big:
    for number, args in ((17, (fd, 0, n, 0)), (18, (fd, 0, n, 0)), (17, (fd, 0, 8, n)),
                         (18, (fd, 0, 8, n)), (77, (fd, n)), (285, (fd, 0, 0, n)),
                         (285, (fd, 3, n, 4096)), (326, (src, 0, fd, 0, n, 0)),
                         (40, (fd, src, 0, n)), (277, (fd, 0, n, 7)), (221, (fd, n, n, 4)),
                         (25, (0, n, n, 1)), (9, (0, n, 3, 0x22, -1, 0)), (12, (n,)),
                         (187, (fd, 0, n))):
        libc.syscall(number, *[ctypes.c_ulong(a % 2**64) for a in args])
if os.fstat(fd).st_blocks * 512 > 200 << 20:
    bad.append("a file is larger than the limit")
print("\n".join("BREACH: " + b for b in bad) or "held")
