# Numbers of namespaces and file systems do not open anything: they are only numbers.
# SPDX-License-Identifier: MIT
import ctypes, errno, os

bad = []
libc = ctypes.CDLL(None, use_errno=True)
handle = ctypes.create_string_buffer(bytes([8, 0, 0, 0, 1, 0, 0, 0, 2]) + bytes(120), 129)
mount_id = ctypes.c_int()
for p in (b"/", b"/usr", b"/tmp", b"/proc/self/ns/net"):
    r = libc.name_to_handle_at(-100, p, handle, ctypes.byref(mount_id), 0x400)
    if r != -1 or ctypes.get_errno() not in (errno.EPERM, errno.ENOSYS):
        bad.append("a handle of %s" % p.decode())
root = ctypes.create_string_buffer(bytes([8, 0, 0, 0, 1, 0, 0, 0, 2]) + bytes(120), 129)
for fd in (os.open("/usr", os.O_RDONLY), os.open("/", os.O_RDONLY), -100):
    if libc.open_by_handle_at(fd, root, 0) >= 0:  # inode 2, the root of most disks (CVE-2014-3519)
        bad.append("opened the root of a disk by its number")
print("\n".join("BREACH: " + b for b in bad) or "held")
