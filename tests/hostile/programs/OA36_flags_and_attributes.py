# Makes artifacts immutable, append-only, undumpable by every call there is: refused.
# SPDX-License-Identifier: MIT
import ctypes, fcntl, os, struct

bad = []
libc = ctypes.CDLL(None, use_errno=True)
fd = os.open("/output/flagged", os.O_CREAT | os.O_RDWR)
for request, value in ((0x40086602, struct.pack("l", 0x10)), (0x40086602, struct.pack("l", 0x20)),
                       (0x401C5820, bytes([8, 0, 0, 0]) + bytes(24)),
                       (0x40086602, struct.pack("l", 0x40))):
    try:
        fcntl.ioctl(fd, request, value)
        bad.append("set the flags %s" % value[:8].hex())
    except OSError:
        pass
for flags in (8, 0x10, 0x80):  # file_setattr of Linux 6.17
    attr = struct.pack("QIIIII", flags, 0, 0, 0, 0, 0)
    if libc.syscall(469, -100, b"/output/flagged", attr, len(attr), 0) == 0:
        bad.append("file_setattr %#x" % flags)
print("\n".join("BREACH: " + b for b in bad) or "held")
