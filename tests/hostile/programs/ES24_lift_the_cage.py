# Undoes the restrictions one by one: each stays as it was.
# SPDX-License-Identifier: MIT
import ctypes, errno

bad = []
libc = ctypes.CDLL(None, use_errno=True)


def status():
    try:
        keys = ("Seccomp", "NoNewPrivs", "Cap", "Uid", "Gid")
        return [s for s in open("/proc/self/status") if s.startswith(keys)]
    except FileNotFoundError:
        return []


before = status()
nop = (ctypes.c_uint64 * 1)(0x7FFF000000000006)  # one instruction: allow
prog = (ctypes.c_uint64 * 2)(1, ctypes.addressof(nop))
calls = {"no_new_privs off": (157, 38, 0, 0, 0, 0), "dumpable": (157, 4, 1, 0, 0, 0),
         "death signal": (157, 1, 0, 0, 0, 0), "keep caps": (157, 8, 1, 0, 0, 0),
         "ambient": (157, 47, 2, 21, 0, 0), "securebits": (157, 28, 0x2F, 0, 0, 0),
         "any tracer": (157, 0x59616D61, -1, 0, 0, 0), "subreaper": (157, 36, 1, 0, 0, 0),
         "strict seccomp by prctl": (157, 22, 3, 0, 0, 0), "filter": (157, 22, 2, prog, 0, 0),
         "filter by seccomp": (317, 1, 0, prog), "listener": (317, 1, 8, prog),
         "dead speculation": (317, 1, 4, prog),
         "capset": (126, (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)(*[-1] * 6))}
for name, (number, *args) in calls.items():
    args = [ctypes.c_long(a) if isinstance(a, int) else a for a in args]
    r = libc.syscall(number, *args)
    if r != -1 or ctypes.get_errno() not in (errno.EPERM, errno.ENOSYS, errno.EINVAL):
        bad.append("%s: %d, errno %d" % (name, r, ctypes.get_errno()))
if status() != before:
    bad.append("the status changed")
if before and not any(s.split() == ["Seccomp:", "2"] for s in before):
    bad.append("no filter is in force")
print("\n".join("BREACH: " + b for b in bad) or "held")
