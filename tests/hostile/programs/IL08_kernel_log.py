# Reads the kernel's log by syslog(2) and by its files: refused, absent.
# SPDX-License-Identifier: MIT
import ctypes, errno, os

bad = []
libc = ctypes.CDLL(None, use_errno=True)
buf = ctypes.create_string_buffer(65536)
for action in (2, 3, 4, 9, 10):
    r = libc.klogctl(action, buf, len(buf))
    if r != -1 or ctypes.get_errno() not in (errno.EPERM, errno.ENOSYS):
        bad.append("syslog action %d: %d, errno %d" % (action, r, ctypes.get_errno()))
for p in ("/dev/kmsg", "/proc/kmsg", "/var/log/dmesg", "/var/log/kern.log"):
    try:
        os.open(p, os.O_RDONLY | os.O_NONBLOCK)
        bad.append("opened " + p)
    except OSError:
        pass
print("\n".join("BREACH: " + b for b in bad) or "held")
