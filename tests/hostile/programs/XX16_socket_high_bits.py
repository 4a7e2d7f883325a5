# A family in the low half of a number whose high half is not zero: refused as the plain one is.
# SPDX-License-Identifier: MIT
import ctypes

bad = []
libc = ctypes.CDLL(None, use_errno=True)
for family in (2, 10, 16, 17, 38, 40, 44):
    for high in (1 << 32, 1 << 63, 0xFFFFFFFF << 32):
        for number in (41, 53):  # socket, socketpair
            pair = (ctypes.c_int * 2)()
            if libc.syscall(number, ctypes.c_ulong(high | family), 2, 0, pair) >= 0:
                bad.append("a socket of family %d" % family)
print("\n".join("BREACH: " + b for b in bad) or "held")
