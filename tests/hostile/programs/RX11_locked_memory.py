# Asks for memory that the host could not take back, and for huge pages. Must be refused.
# SPDX-License-Identifier: MIT
import ctypes
import mmap

libc = ctypes.CDLL(None)
good = True
if libc.mlockall(3) == 0:
    print("BREACH: mlockall")
    good = False
for name, flag in (("MAP_LOCKED", 0x2000), ("MAP_HUGETLB", 0x40000)):
    try:
        m = mmap.mmap(-1, 4 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | flag)
    except OSError:
        continue
    print("BREACH:", name)
    good = False
if libc.shmget(0, 4 << 20, 0o4600) != -1:
    print("BREACH: SHM_HUGETLB")
    good = False
if good:
    print("held")
