# The mount interface of 2019 and later (CVE-2021-41133 forgot it): unknown or refused, all of it.
# SPDX-License-Identifier: MIT
import ctypes, errno, struct

bad = []
libc = ctypes.CDLL(None, use_errno=True)
calls = {"fsopen": (430, b"tmpfs", 0), "fsconfig": (431, -1, 6, None, None, 0),
         "fsmount": (432, -1, 0, 0), "fspick": (433, -100, b"/", 0),
         "open_tree": (428, -100, b"/", 0), "open_tree of a copy": (428, -100, b"/", 0x8001),
         "open_tree_attr": (467, -100, b"/", 0, bytes(32), 32),
         "move_mount": (429, -100, b"/tmp", -100, b"/output", 0),
         "mount_setattr": (442, -100, b"/", 0, bytes(32), 32),
         "statmount": (457, struct.pack("IIQQQ", 32, 0, 1, 1, 0), bytes(512), 512, 0),
         "listmount": (458, struct.pack("IIQQQ", 32, 0, 2**64 - 1, 0, 0), bytes(512), 8, 0),
         "mount": (165, b"/usr", b"/tmp", None, 4096, None), "umount2": (166, b"/tmp", 2),
         "pivot_root": (155, b"/tmp", b"/tmp"), "chroot": (161, b"/tmp")}
for name, (number, *args) in calls.items():
    args = [ctypes.c_long(a) if isinstance(a, int) else a for a in args]
    r = libc.syscall(number, *args)
    if r != -1 or ctypes.get_errno() not in (errno.EPERM, errno.ENOSYS):
        bad.append("%s: %d, errno %d" % (name, r, ctypes.get_errno()))
print("\n".join("BREACH: " + b for b in bad) or "held")
