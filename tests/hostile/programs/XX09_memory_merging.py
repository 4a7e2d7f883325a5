# Offers memory to the host's page merging, which tells what others have in theirs: refused.
# SPDX-License-Identifier: MIT
import ctypes, mmap

bad = []
libc = ctypes.CDLL(None, use_errno=True)
m = mmap.mmap(-1, 1 << 20)
at = ctypes.addressof(ctypes.c_char.from_buffer(m))
if libc.madvise(ctypes.c_void_p(at), ctypes.c_size_t(1 << 20), 12) == 0:
    bad.append("madvise(MADV_MERGEABLE)")
if libc.prctl(67, 1, 0, 0, 0) == 0:
    bad.append("prctl(PR_SET_MEMORY_MERGE)")
for advice in (100, 101):  # poison, soft offline
    if libc.madvise(ctypes.c_void_p(at), ctypes.c_size_t(4096), advice) == 0:
        bad.append("madvise %d" % advice)
print("\n".join("BREACH: " + b for b in bad) or "held")
