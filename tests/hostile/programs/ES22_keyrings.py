# Adds, requests and reads keys in every keyring: refused.
# SPDX-License-Identifier: MIT
import ctypes, errno

bad = []
libc = ctypes.CDLL(None, use_errno=True)
buf = ctypes.create_string_buffer(256)
for ring in (-1, -2, -3, -4, -5, -7):
    calls = {"add_key": (248, b"user", b"tako", b"x", 1, ring),
             "request_key": (249, b"user", b"tako", 0, ring),
             "keyring id": (250, 0, ring, 1), "describe": (250, 6, ring, buf, 256),
             "clear": (250, 7, ring), "read": (250, 11, ring, buf, 256),
             "persistent": (250, 22, -1, ring), "join": (250, 1, 0)}
    for name, (number, *args) in calls.items():
        r = libc.syscall(number, *args)
        if r != -1 or ctypes.get_errno() not in (errno.EPERM, errno.ENOSYS):
            bad.append("%s on keyring %d: %d, errno %d" % (name, ring, r, ctypes.get_errno()))
print("\n".join("BREACH: " + b for b in bad) or "held")
