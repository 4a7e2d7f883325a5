# A key that role a leaves in every keyring it can name is not found by role b.
# SPDX-License-Identifier: MIT
import ctypes, json

bad = []
libc = ctypes.CDLL(None, use_errno=True)
role = json.load(open("/input/data.json")).get("role")
for ring in (-1, -2, -3, -4, -5):  # thread, process, session, user, user session
    if role == "a":
        if libc.syscall(248, b"user", b"tako-key", b"secret", 6, ring) >= 0:
            bad.append("added a key to keyring %d" % ring)
    elif libc.syscall(250, 10, ring, b"user", b"tako-key", 0) >= 0:
        bad.append("found the other job's key in keyring %d" % ring)
if role == "b" and libc.syscall(249, b"user", b"tako-key", 0, 0) >= 0:
    bad.append("requested the other job's key")
print("\n".join("BREACH: " + b for b in bad) or "held")
