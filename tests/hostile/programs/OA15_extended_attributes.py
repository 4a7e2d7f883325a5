# Floods files with extended attributes and ACLs: ignored by the collector, bounded by the kernel.
# SPDX-License-Identifier: MIT
import os

os.chdir("/output")
fd = os.open("flooded", os.O_CREAT | os.O_RDWR)
os.write(fd, b"x")
counts = []
for name, value in (("user.%d", b"v" * 60000), ("trusted.%d", b"v"), ("system.%d", b"v")):
    n = 0
    try:
        while n < 20000:
            os.setxattr(fd, name % n, value)
            n += 1
    except OSError:
        pass
    counts.append(n)
acl = bytes.fromhex("02000000" "01000600ffffffff" "02000700e8030000" "04000400ffffffff"
                    "10000700ffffffff" "20000400ffffffff")
for name in ("system.posix_acl_access", "system.posix_acl_default"):
    try:
        os.setxattr(fd if name.endswith("access") else "/output", name, acl)
    except OSError:
        pass
print("attributes:", counts)
print("held")
