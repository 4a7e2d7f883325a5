# Makes memory executable and addresses predictable for what it executes: refused.
# SPDX-License-Identifier: MIT
import ctypes

bad = []
libc = ctypes.CDLL(None, use_errno=True)
if libc.personality(ctypes.c_ulong(0xFFFFFFFF)) not in (0, -1):
    bad.append("the host's personality was inherited")
for bit in (0x40000, 0x400000, 0x100000, 0x200000, 0x20000, 0x8000000, 0x1000000, 8, 0xFF):
    if libc.personality(ctypes.c_ulong(bit)) != -1:
        bad.append("personality %#x" % bit)
        libc.personality(ctypes.c_ulong(0))
print("\n".join("BREACH: " + b for b in bad) or "held")
