# Reads, writes and steals from pid 1 and from a sibling: refused for each.
# SPDX-License-Identifier: MIT
import ctypes, errno, os, subprocess

bad = []
libc = ctypes.CDLL(None, use_errno=True)
sibling = subprocess.Popen(["sleep", "100"])
buf = ctypes.create_string_buffer(64)
vec = (ctypes.c_void_p * 2)(ctypes.addressof(buf), 64)
for pid in (1, sibling.pid):
    pidfd = os.pidfd_open(pid)
    calls = {"ptrace attach": (101, 16, pid, 0, 0), "ptrace seize": (101, 0x4206, pid, 0, 0),
             "process_vm_readv": (310, pid, vec, 1, vec, 1, 0),
             "process_vm_writev": (311, pid, vec, 1, vec, 1, 0),
             "pidfd_getfd": (438, pidfd, 0, 0), "process_madvise": (440, pidfd, vec, 1, 21, 0),
             "process_mrelease": (448, pidfd, 0), "kcmp": (312, pid, os.getpid(), 0, 0, 0),
             "migrate_pages": (256, pid, 8, buf, buf), "move_pages": (279, pid, 0, 0, 0, buf, 0)}
    for name, (number, *args) in calls.items():
        r = libc.syscall(number, *args)
        if r != -1 or ctypes.get_errno() not in (errno.EPERM, errno.ENOSYS):
            bad.append("%s of pid %d: %d, errno %d" % (name, pid, r, ctypes.get_errno()))
for name in ("mem", "maps", "environ", "fd", "auxv", "stack", "syscall", "root", "exe"):
    try:
        os.open("/proc/1/" + name, os.O_RDONLY)
        bad.append("opened /proc/1/" + name)
    except OSError:
        pass
sibling.kill()
print("\n".join("BREACH: " + b for b in bad) or "held")
