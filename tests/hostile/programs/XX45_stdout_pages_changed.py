# Hands pages to the pipe without copying and changes them afterwards: the length is as written.
# SPDX-License-Identifier: MIT
import ctypes, mmap, os

libc = ctypes.CDLL(None, use_errno=True)
m = mmap.mmap(-1, 4096 * 4)
m.write(b"a" * 4096 * 4)
at = ctypes.addressof(ctypes.c_char.from_buffer(m))
vec = (ctypes.c_size_t * 2)(at, 4096 * 4)
for flags in (0, 8):  # plain, gift
    libc.vmsplice(1, vec, 1, flags)
    for n in range(200):
        m[0:4096] = bytes([n % 26 + 97]) * 4096
