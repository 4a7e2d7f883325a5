# Makes a system call of the 32-bit world, around every filter that looks at numbers only. Must be
# told as a violation, or as SIGSEGV where the kernel has no such calls.
# SPDX-License-Identifier: MIT
import ctypes
import mmap

code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
code.write(b"\xb8\x14\x00\x00\x00\xcd\x80\xc3")  # mov eax, 20 (getpid); int 0x80; ret
call = ctypes.CFUNCTYPE(ctypes.c_long)(ctypes.addressof(ctypes.c_char.from_buffer(code)))
result = call()
print("BREACH: a 32-bit system call gave", result)
