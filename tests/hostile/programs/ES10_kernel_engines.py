# bpf, perf, userfaultfd, io_uring, fanotify: the kernel's machinery is not reached.
# SPDX-License-Identifier: MIT
import ctypes, errno

bad = []
libc = ctypes.CDLL(None, use_errno=True)
zero = bytes(256)
perf = (1).to_bytes(4, "little") + (112).to_bytes(4, "little") + bytes(248)  # a software counter
map_attr = b"".join(n.to_bytes(4, "little") for n in (2, 4, 8, 1)) + bytes(112)
calls = {"io_uring_setup": (425, 8, ctypes.create_string_buffer(256)),
         "io_uring_enter": (426, -1, 1, 0, 0, 0, 0), "io_uring_register": (427, -1, 0, zero, 1),
         "bpf": (321, 0, map_attr, 72), "perf_event_open": (298, perf, 0, -1, -1, 0),
         "userfaultfd": (323, 1), "fanotify_init": (300, 0x200, 0), "memfd_secret": (447, 0),
         "inotify_init1": (294, 0)}
for name, (number, *args) in calls.items():
    r = libc.syscall(number, *args)
    if r != -1 or ctypes.get_errno() not in (errno.EPERM, errno.ENOSYS):
        bad.append("%s: %d, errno %d" % (name, r, ctypes.get_errno()))
print("\n".join("BREACH: " + b for b in bad) or "held")
