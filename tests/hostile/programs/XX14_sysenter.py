# The other 32-bit gate: killed as a violation, or no such instruction here.
# SPDX-License-Identifier: MIT
import ctypes, mmap

page = mmap.mmap(-1, 4096, prot=7)
page.write(b"\xb8\x14\x00\x00\x00\x0f\x34\xc3")  # mov $20, %eax; sysenter; ret
ctypes.CFUNCTYPE(None)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()
print("BREACH: came back from sysenter")
