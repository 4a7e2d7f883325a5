# Asks which pages of a file are in the host's memory, which tells what others read: refused.
# SPDX-License-Identifier: MIT
import ctypes, errno, mmap, os

bad = []
libc = ctypes.CDLL(None, use_errno=True)
path = max((os.path.join(d, n) for d in ("/usr/lib", "/usr/bin", "/usr/lib/x86_64-linux-gnu")
            if os.path.isdir(d) for n in os.listdir(d) if os.path.isfile(os.path.join(d, n))),
           key=os.path.getsize)
fd = os.open(path, os.O_RDONLY)
last = (os.path.getsize(path) - 1) // 4096 * 4096
try:
    os.preadv(fd, [bytearray(1)], last, os.RWF_NOWAIT)
    bad.append("a read that only succeeds when the page is in memory")
except BlockingIOError:
    bad.append("a read that only succeeds when the page is in memory")
except OSError:
    pass
if libc.syscall(451, fd, bytes(16), ctypes.create_string_buffer(40), 0) == 0:
    bad.append("cachestat tells what is in memory")
print("\n".join("BREACH: " + b for b in bad) or "held")
