# Requests to descriptors of every kind: pids, namespaces, flags, terminals, interfaces: refused.
# SPDX-License-Identifier: MIT
import ctypes, errno, glob, os, socket

bad = set()
libc = ctypes.CDLL(None, use_errno=True)
buf = ctypes.create_string_buffer(4096)
fds = [os.pidfd_open(os.getpid()), os.open("/tmp", os.O_RDONLY), os.open("/usr", os.O_RDONLY),
       os.open("/tmp/f", os.O_CREAT | os.O_RDWR), os.memfd_create("x"), os.pipe()[0], 0, 1,
       socket.socket(socket.AF_UNIX).detach(), os.eventfd(0), os.open("/dev/urandom", os.O_RDWR)]
for p in glob.glob("/proc/self/ns/*") + ["/proc/self/pagemap", "/proc/self/maps"]:
    try:
        fds.append(os.open(p, os.O_RDONLY))
    except OSError:
        pass
requests = list(range(0xFF00, 0xFF10)) + list(range(0xB700, 0xB710)) + [
    0xC040FF0B, 0x8008B705, 0x8004B706, 0xC0606610, 0xC0686611,  # pids, namespaces, procmap
    0x40086602, 0x401C5820, 0x801C581F, 0xC0045877, 0xC0045878, 0x40049421,  # flags, freeze, trim
    0x5412, 0x541C, 0x540E, 0x5423, 0x5452, 0x8902, 0x8901, 0x8910, 0x8912, 0x8927, 0x89E0,
    0x5201, 0x40045201, 0x5204, 0x5206, 0x5207, 0x80087601, 0x1277, 0x1268, 0x4C82, 0x125D]
for high in (0, 1 << 32):  # the kernel looks at the low 32 bits only (CVE-2019-10063)
    for fd in fds:
        for request in requests:
            r = libc.syscall(16, fd, ctypes.c_ulong(high | request), buf)
            if r != -1:
                bad.add("ioctl %#x succeeded on descriptor %d" % (request, fd))
print("\n".join("BREACH: " + b for b in sorted(bad)) or "held")
