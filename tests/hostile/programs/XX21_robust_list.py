# Gives the kernel a list to work off at exit that points into read-only files: nothing is written.
# SPDX-License-Identifier: MIT
import ctypes, mmap, os

bad = []
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
fd = os.open("/code/main.py", os.O_RDONLY)
before = os.pread(fd, 4096, 0)
at = libc.mmap(None, 4096, mmap.PROT_READ, mmap.MAP_SHARED, fd, ctypes.c_long(0))
for target in (at, 0xFFFFFFFF81000000, 0xFFFFFFFFFF600000, 8, 1 << 63):
    pid = os.fork()
    if pid == 0:
        head = (ctypes.c_ulong * 3)(target & (2**64 - 1), 0, target & (2**64 - 1))
        libc.syscall(273, head, 24)
        libc.syscall(218, ctypes.c_ulong(target))  # and the word to clear at exit
        os._exit(0)
    os.waitpid(pid, 0)
if os.pread(fd, 4096, 0) != before:
    bad.append("a read-only file was changed")
if libc.syscall(274, 1, ctypes.byref(ctypes.c_long()), ctypes.byref(ctypes.c_long())) == 0:
    bad.append("read the robust list of pid 1")
print("\n".join("BREACH: " + b for b in bad) or "held")
