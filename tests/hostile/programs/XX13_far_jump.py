# Calls from 32-bit mode, entered by a far return: killed as a violation, or a fault.
# SPDX-License-Identifier: MIT
import ctypes, mmap

libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x40  # MAP_32BIT
at = libc.mmap(None, 8192, 7, flags, -1, ctypes.c_long(0))
# push $0x23; push $target; lretq; target: mov $at+8000, %esp; mov $20, %eax; int $0x80; ud2
target = at + 32
code = (b"\x6a\x23\x68" + target.to_bytes(4, "little") + b"\x48\xcb").ljust(32, b"\x90")
code += b"\xbc" + (at + 8000).to_bytes(4, "little") + b"\xb8\x14\x00\x00\x00\xcd\x80"
code += b"\x0f\x0b"
ctypes.memmove(at, code, len(code))
ctypes.CFUNCTYPE(None)(at)()
print("BREACH: came back from 32-bit mode")
