# Touches the processor's ports and tables: the calls are refused, the instructions fault.
# SPDX-License-Identifier: MIT
import ctypes, mmap, os, signal

bad = []
libc = ctypes.CDLL(None, use_errno=True)
for number, args in ((172, (3,)), (173, (0x378, 3, 1)), (154, (1, bytes(16), 16))):
    if libc.syscall(number, *args) == 0:
        bad.append("system call %d" % number)
for name, code in (("in", b"\xec\xc3"), ("cli", b"\xfa\xc3"), ("hlt", b"\xf4\xc3"),
                   ("rdmsr", b"\x0f\x32\xc3"), ("mov cr3", b"\x0f\x20\xd8\xc3"),
                   ("rdpmc", b"\x31\xc9\x0f\x33\xc3")):
    pid = os.fork()
    if pid == 0:
        page = mmap.mmap(-1, 4096, prot=7)
        page.write(code)
        ctypes.CFUNCTYPE(None)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()
        os._exit(0)
    if not os.WIFSIGNALED(os.waitpid(pid, 0)[1]):
        bad.append("executed " + name)
print("\n".join("BREACH: " + b for b in bad) or "held")
