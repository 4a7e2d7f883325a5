# What administrators do: modules, kexec, reboot, swap, accounting, the log, quotas, clocks, names.
# SPDX-License-Identifier: MIT
import ctypes, errno

bad = []
libc = ctypes.CDLL(None, use_errno=True)
buf = ctypes.create_string_buffer(4096)
calls = {"init_module": (175, buf, 16, b""), "finit_module": (313, 0, b"", 0),
         "delete_module": (176, b"tako_none", 0), "kexec_load": (246, 0, 0, 0, 0),
         "kexec_file_load": (320, 0, 0, 0, b"", 0), "reboot": (169, 0, 0, 0, 0),
         "swapon": (167, b"/tmp/none", 0), "swapoff": (168, b"/tmp/none"),
         "acct": (163, b"/tmp/none"), "syslog read": (103, 3, buf, 4096),
         "syslog size": (103, 10, 0, 0), "quotactl": (179, 0x800003, 0, 0, buf),
         "settimeofday": (164, 0, buf), "clock_settime": (227, 0, buf), "adjtimex": (159, buf),
         "clock_adjtime": (305, 0, buf), "sethostname": (170, b"x", 1),
         "setdomainname": (171, b"x", 1), "iopl": (172, 3), "ioperm": (173, 0, 1, 1),
         "modify_ldt": (154, 0, buf, 16), "vhangup": (153,), "lookup_dcookie": (212, 0, buf, 16)}
for name, (number, *args) in calls.items():
    r = libc.syscall(number, *args)
    if r != -1 or ctypes.get_errno() not in (errno.EPERM, errno.ENOSYS):
        bad.append("%s: %d, errno %d" % (name, r, ctypes.get_errno()))
print("\n".join("BREACH: " + b for b in bad) or "held")
