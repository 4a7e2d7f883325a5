# System calls by the 32-bit gate of an own code page: killed as a violation at the first.
# SPDX-License-Identifier: MIT
import ctypes, mmap, os

code = b"\xb8\x14\x00\x00\x00\xcd\x80\xc3"  # mov $20 (getpid of i386), %eax; int $0x80; ret
page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
page.write(code)
call = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
got = call()
print("BREACH: a 32-bit call returned %d" % got if got == os.getpid() else "held")
