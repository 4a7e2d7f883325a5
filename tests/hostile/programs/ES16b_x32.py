# A system call with the number of the x32 ABI: killed as a violation.
# SPDX-License-Identifier: MIT
import ctypes, os

libc = ctypes.CDLL(None, use_errno=True)
got = libc.syscall(ctypes.c_long(0x40000000 | 39))
print("BREACH: getpid of x32 returned" if got == os.getpid() else "held")
