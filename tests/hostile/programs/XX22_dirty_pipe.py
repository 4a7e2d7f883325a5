# Old holes for writing to read-only files: splice and merge (CVE-2022-0847), /proc/self/mem.
# SPDX-License-Identifier: MIT
import ctypes, mmap, os

bad = []
libc = ctypes.CDLL(None, use_errno=True)
fd = os.open("/code/main.py", os.O_RDONLY)
before = os.pread(fd, 4096, 0)
r, w = os.pipe()
os.write(w, bytes(65536))
os.read(r, 65536)
try:
    os.splice(fd, w, 1, offset_src=0)
    os.write(w, b"XXXX")
except OSError:
    pass
libc.mmap.restype = ctypes.c_void_p
at = libc.mmap(None, 4096, mmap.PROT_READ, mmap.MAP_SHARED, fd, ctypes.c_long(0))
if libc.mprotect(ctypes.c_void_p(at), 4096, 3) == 0:
    bad.append("a read-only file can be mapped for writing")
try:
    mem = os.open("/proc/self/mem", os.O_RDWR)
    os.pwrite(mem, b"XXXX", at)
    bad.append("wrote to a shared mapping of a read-only file")
except (OSError, OverflowError):
    pass
if os.pread(fd, 4096, 0) != before:
    bad.append("a read-only file was changed")
print("\n".join("BREACH: " + b for b in bad) or "held")
